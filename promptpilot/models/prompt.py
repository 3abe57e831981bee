"""Stored prompts, their versions, and the credentials for the models that answer them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise import fields

from promptpilot.models.columns import InstantField, JsonField, KeyField, Row


class Prompt(Row):
    """A prompt template; its text is that of its current version."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    name: str = fields.TextField()
    description: str | None = fields.TextField(null=True)
    current_version_id: str | None = fields.TextField(null=True)
    metadata: dict[str, Any] = JsonField()
    tags: list[str] = JsonField(default=list)
    revision: int = fields.BigIntField()
    created_by: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()
    updated_at: datetime = InstantField()
    #: A deleted prompt stays for the versions that executions pinned.
    deleted_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "prompts"


class PromptVersion(Row):
    """An immutable state of a prompt. Rows are only ever added."""

    id: str = KeyField()
    prompt_id: str = fields.TextField()
    major: int = fields.BigIntField()
    minor: int = fields.BigIntField()
    patch: int = fields.BigIntField()
    content: str = fields.TextField()
    #: System instructions.
    instructions: str | None = fields.TextField(null=True)
    #: Earlier turns of a conversation: [{"role", "content"}].
    turns: list[Any] = JsonField(default=list)
    variables: list[Any] = JsonField()
    change_type: str = fields.TextField()
    commit_message: str | None = fields.TextField(null=True)
    parent_id: str | None = fields.TextField(null=True)
    created_by: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()

    class Meta:
        table = "prompt_versions"


class Credential(Row):
    """A key for a model provider, sealed; its text can never be read back by a caller."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    provider: str = fields.TextField()
    label: str = fields.TextField()
    secret_sealed: str = fields.TextField()
    secret_preview: str = fields.TextField()
    fingerprint: str = fields.TextField()
    base_url: str | None = fields.TextField(null=True)
    status: str = fields.TextField()
    metadata: dict[str, Any] = JsonField()
    expires_at: datetime | None = InstantField(null=True)
    last_used_at: datetime | None = InstantField(null=True)
    last_rotated_at: datetime | None = InstantField(null=True)
    #: Since when, and in which words, its provider refuses it.
    refused_at: datetime | None = InstantField(null=True)
    refusal: str | None = fields.TextField(null=True)
    revoked_at: datetime | None = InstantField(null=True)
    created_by: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()
    updated_at: datetime = InstantField()

    class Meta:
        table = "credentials"
