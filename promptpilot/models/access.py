"""Who may call: users, their workspaces and their access tokens."""

from __future__ import annotations

from datetime import datetime

from tortoise import fields

from promptpilot.models.columns import InstantField, KeyField, Row


class User(Row):
    """A person with an account. `email_key` is the case-folded address and unique."""

    id: str = KeyField()
    email: str = fields.TextField()
    email_key: str = fields.TextField()
    name: str | None = fields.TextField(null=True)
    role: str = fields.TextField()
    password_hash: str = fields.TextField()
    created_at: datetime = InstantField()

    class Meta:
        table = "users"


class Workspace(Row):
    """What owns everything. Every user has exactly one personal workspace."""

    id: str = KeyField()
    name: str = fields.TextField()
    owner_id: str = fields.TextField()
    is_personal = fields.BooleanField()
    created_at: datetime = InstantField()

    class Meta:
        table = "workspaces"


class AccessToken(Row):
    """A token for programs. Only the SHA-256 of its text is stored."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    user_id: str = fields.TextField()
    label: str = fields.TextField()
    preview: str = fields.TextField()
    sha256: str = fields.TextField()
    created_at: datetime = InstantField()
    expires_at: datetime | None = InstantField(null=True)
    last_used_at: datetime | None = InstantField(null=True)
    revoked_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "access_tokens"
