"""Triggers, and every time one fired, was called or was due."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise import fields

from promptpilot.models.columns import InstantField, JsonField, KeyField, Row


class Trigger(Row):
    """A way to start a workflow. Secrets are sealed; the previous one works until its instant."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    workflow_id: str = fields.TextField()
    name: str = fields.TextField()
    type: str = fields.TextField()
    is_active = fields.BooleanField()
    config: dict[str, Any] = JsonField()
    input: dict[str, Any] = JsonField()
    secret_sealed: str | None = fields.TextField(null=True)
    secret_preview: str | None = fields.TextField(null=True)
    previous_secret_sealed: str | None = fields.TextField(null=True)
    previous_secret_until: datetime | None = InstantField(null=True)
    #: Of the key of an API trigger, which is not stored itself.
    secret_sha256: str | None = fields.TextField(null=True)
    previous_secret_sha256: str | None = fields.TextField(null=True)
    #: Why the server switched it off; None while it is on or a person switched it off.
    paused_reason: str | None = fields.TextField(null=True)
    next_run_at: datetime | None = InstantField(null=True)
    last_scheduled_for: datetime | None = InstantField(null=True)
    consecutive_failures: int = fields.BigIntField(default=0)
    revision: int = fields.BigIntField()
    created_by: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()
    updated_at: datetime = InstantField()

    class Meta:
        table = "triggers"


class Firing(Row):
    """One time a trigger fired, was called or was due, whatever came of it.

    Invariant: at most one row with outcome STARTED or QUEUED for each (trigger, dedupe key).
    """

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    trigger_id: str = fields.TextField()
    trigger_type: str = fields.TextField()
    outcome: str = fields.TextField()
    scheduled_for: datetime | None = InstantField(null=True)
    dedupe_key: str | None = fields.TextField(null=True)
    body_sha256: str | None = fields.TextField(null=True)
    scheme: str | None = fields.TextField(null=True)
    is_verified = fields.BooleanField(null=True)
    failure_code: str | None = fields.TextField(null=True)
    used_previous_secret = fields.BooleanField(null=True)
    error: dict[str, Any] | None = JsonField(null=True)
    payload: Any = JsonField(null=True)
    source_ip: str | None = fields.TextField(null=True)
    actor_id: str | None = fields.TextField(null=True)
    execution_id: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()

    class Meta:
        table = "firings"


class PlatformEvent(Row):
    """Something that happened, inside or outside, as EVENT triggers are told of it.

    Invariant: one row for each (workspace, dedupe key). `dispatched_at` is None until every
    trigger that listens was told.
    """

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    type: str = fields.TextField()
    payload: dict[str, Any] = JsonField()
    #: Only triggers of this workflow are told; None means all of the workspace.
    workflow_id: str | None = fields.TextField(null=True)
    dedupe_key: str | None = fields.TextField(null=True)
    request_sha256: str = fields.TextField()
    depth: int = fields.BigIntField(default=0)
    actor_id: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()
    dispatched_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "platform_events"
