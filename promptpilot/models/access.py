"""Who may call: users, their workspaces and their access tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise import fields

from promptpilot.models.columns import InstantField, JsonField, KeyField, Row


class User(Row):
    """A person with an account. `email_key` is the case-folded address and unique."""

    id: str = KeyField()
    email: str = fields.TextField()
    email_key: str = fields.TextField()
    name: str | None = fields.TextField(null=True)
    role: str = fields.TextField()
    password_hash: str = fields.TextField()
    #: Issuer and subject, of a user whom another server signs in.
    identity: str | None = fields.TextField(null=True)
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
    #: What it is good for; None means everything that its user may do.
    scopes: list[str] | None = JsonField(null=True)
    created_at: datetime = InstantField()
    expires_at: datetime | None = InstantField(null=True)
    last_used_at: datetime | None = InstantField(null=True)
    revoked_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "access_tokens"


class Session(Row):
    """A sign-in. Its refresh token is made of `id` and `generation`, and is not stored."""

    id: str = KeyField()
    user_id: str = fields.TextField()
    #: Grows by one whenever the refresh token is exchanged for the next one.
    generation: int = fields.BigIntField(default=1)
    refreshed_at: datetime = InstantField()
    created_at: datetime = InstantField()
    expires_at: datetime = InstantField()
    ended_at: datetime | None = InstantField(null=True)
    end_reason: str | None = fields.TextField(null=True)

    class Meta:
        table = "sessions"


class LoginFailure(Row):
    """How many tries to sign in counted since `window_at`; the key is a digest."""

    key: str = KeyField()
    count: int = fields.BigIntField()
    window_at: datetime = InstantField()

    class Meta:
        table = "login_failures"


class AuditEntry(Row):
    """A change of a secret, a trigger or somebody's access. Rows are only ever added."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    actor_id: str | None = fields.TextField(null=True)
    #: The access token that the actor used, if it was one.
    token_id: str | None = fields.TextField(null=True)
    action: str = fields.TextField()
    object_id: str = fields.TextField()
    details: dict[str, Any] = JsonField()
    created_at: datetime = InstantField()

    class Meta:
        table = "audit_log"
