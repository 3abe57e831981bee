"""Addresses that are told about executions, what they are told, and how each try went."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise import fields

from promptpilot.models.columns import InstantField, JsonField, KeyField, Row


class WebhookEndpoint(Row):
    """An address that is told about the executions of a workspace."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    url: str = fields.TextField()
    description: str | None = fields.TextField(null=True)
    is_active = fields.BooleanField()
    event_types: list[str] = JsonField()
    #: Empty means all.
    workflow_ids: list[str] = JsonField()
    secret_sealed: str = fields.TextField()
    secret_preview: str = fields.TextField()
    #: From when on it is told of starts; None when it is not.
    starts_since: datetime | None = InstantField(null=True)
    #: Since when every try has failed.
    failing_since: datetime | None = InstantField(null=True)
    #: Why the server switched it off.
    disabled_reason: str | None = fields.TextField(null=True)
    created_by: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()
    updated_at: datetime = InstantField()

    class Meta:
        table = "webhook_endpoints"


class WebhookDelivery(Row):
    """A message for an endpoint. It outlives the endpoint; its id is the `webhook-id`."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    endpoint_id: str = fields.TextField()
    execution_id: str = fields.TextField()
    #: The execution's own event that it tells of.
    event_seq: int = fields.BigIntField()
    event_type: str = fields.TextField()
    status: str = fields.TextField()
    #: Exactly what is sent and signed.
    body: str = fields.TextField()
    error: dict[str, Any] | None = JsonField(null=True)
    attempt_count: int = fields.BigIntField(default=0)
    #: Attempts since it was made, or since somebody asked for it again.
    tries: int = fields.BigIntField(default=0)
    #: Grows whenever somebody asks for it again.
    generation: int = fields.BigIntField(default=0)
    owner: str | None = fields.TextField(null=True)
    #: When it is due, or when the lease of its sender ends; None: done, or endpoint switched off.
    ready_at: datetime | None = InstantField(null=True)
    created_at: datetime = InstantField()
    finished_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "webhook_deliveries"


class WebhookDeliveryAttempt(Row):
    """One HTTP exchange of a delivery. Rows are only ever added."""

    delivery_id: str = KeyField()
    number: int = fields.BigIntField()
    started_at: datetime = InstantField()
    duration_ms: int = fields.BigIntField()
    #: None when there was no answer.
    response_status: int | None = fields.BigIntField(null=True)
    response_body: str | None = fields.TextField(null=True)
    #: What went wrong below HTTP.
    error: dict[str, Any] | None = JsonField(null=True)

    class Meta:
        table = "webhook_delivery_attempts"
