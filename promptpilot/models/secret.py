"""Sealed secrets of WEBHOOK steps: their headers, and what signs their requests."""

from __future__ import annotations

from datetime import datetime

from tortoise import fields

from promptpilot.models.columns import InstantField, KeyField, Row


class StepSecret(Row):
    """The value of a secret header. Versions of workflows name it by id; it never changes."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    secret_sealed: str = fields.TextField()
    created_at: datetime = InstantField()

    class Meta:
        table = "step_secrets"


class SigningSecret(Row):
    """What signs the requests of a workspace: a secret, and for a while the one before it."""

    workspace_id: str = KeyField()
    secret_sealed: str = fields.TextField()
    secret_preview: str = fields.TextField()
    previous_secret_sealed: str | None = fields.TextField(null=True)
    previous_secret_until: datetime | None = InstantField(null=True)
    created_at: datetime = InstantField()
    updated_at: datetime = InstantField()

    class Meta:
        table = "signing_secrets"
