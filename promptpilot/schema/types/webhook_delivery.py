"""What was sent to endpoints, and how each attempt went."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.endpoints.kinds import DeliveryStatus
from promptpilot.engine.previews import cut
from promptpilot.json_values import load_json
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link, links
from promptpilot.schema.scalars import JSON, SafeInt
from promptpilot.schema.selection import shown_execution
from promptpilot.schema.types.outcome import ExecutionError
from promptpilot.schema.types.relay import DateTimeRange, Node, PageInfo
from promptpilot.schema.types.user_error import UserError

_SHOWN_BYTES: Final = 64 * 1024


@strawberry.type(description="One HTTP exchange of a delivery.")
class WebhookDeliveryAttempt:
    """One HTTP exchange of a delivery."""

    number: int = strawberry.field(description="From 1.")
    started_at: datetime = strawberry.field(description="When it began.")
    duration_ms: SafeInt = strawberry.field(description="Time taken.")
    response_status: int | None = strawberry.field(
        description="HTTP status; null when there was no answer."
    )
    response_body: str | None = strawberry.field(description="First 2 KiB of the answer.")

    @declare.field(description="What went wrong below HTTP.")
    @staticmethod
    def error(root: Parent[rows.WebhookDeliveryAttempt]) -> ExecutionError | None:
        return ExecutionError.of(root.error)


@strawberry.type(description="A message sent to an endpoint.")
class WebhookDelivery(Node):
    """A message sent to an endpoint."""

    id: strawberry.ID = strawberry.field(description="Globally unique id; the `webhook-id` header.")
    created_at: datetime = strawberry.field(description="When it was made.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.WebhookDelivery)

    @declare.field(description="Where it is.")
    @staticmethod
    def status(root: Parent[rows.WebhookDelivery]) -> DeliveryStatus:
        return DeliveryStatus(root.status)

    @declare.field(
        description="The endpoint; null when it was deleted.",
        graphql_type=link("WebhookEndpoint") | None,
    )
    @staticmethod
    async def endpoint(
        root: Parent[rows.WebhookDelivery], info: Info
    ) -> rows.WebhookEndpoint | None:
        return await info.context.loaders.webhook_endpoint.load(root.endpoint_id)

    @declare.field(
        description="The execution told about.", graphql_type=link("WorkflowExecution") | None
    )
    @staticmethod
    async def execution(root: Parent[rows.WebhookDelivery], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)

    @declare.field(description="Why it was given up.")
    @staticmethod
    def error(root: Parent[rows.WebhookDelivery]) -> ExecutionError | None:
        return ExecutionError.of(root.error)

    @declare.field(description="Body, cut to 64 KiB.")
    @staticmethod
    def payload(root: Parent[rows.WebhookDelivery]) -> JSON | None:
        return JSON(cut(load_json(root.body), _SHOWN_BYTES))

    @declare.field(description="Attempts, oldest first.", graphql_type=list[WebhookDeliveryAttempt])
    @staticmethod
    async def attempts(
        root: Parent[rows.WebhookDelivery], info: Info
    ) -> list[rows.WebhookDeliveryAttempt]:
        return await info.context.loaders.delivery_attempts.load(root.id)

    @declare.field(
        description=(
            "When the next attempt will be made; null when there will be none, while one is being"
            " made and while the endpoint is switched off."
        )
    )
    @staticmethod
    def next_attempt_at(root: Parent[rows.WebhookDelivery]) -> datetime | None:
        return root.ready_at if root.owner is None else None


@strawberry.input(description="Filter for deliveries.")
class WebhookDeliveryFilter:
    """Filter for deliveries."""

    statuses: list[DeliveryStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these."
    )
    created_at: DateTimeRange | None = strawberry.field(
        default=strawberry.UNSET, description="In this range."
    )


@strawberry.type(description="A delivery in a page.")
class WebhookDeliveryEdge:
    """A delivery in a page."""

    cursor: str = strawberry.field(description="Position.")
    node: Any = strawberry.field(graphql_type=link("WebhookDelivery"), description="Item.")


@strawberry.type(description="A page of deliveries.")
class WebhookDeliveryConnection:
    """A page of deliveries."""

    edges: list[WebhookDeliveryEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("WebhookDelivery"), description="Items without cursors."
    )
    page_info: PageInfo = strawberry.field(description="Where the page sits.")


@strawberry.input(description="Send an outbound delivery again, now.")
class RedeliverWebhookInput:
    """Send an outbound delivery again, now."""

    delivery_id: strawberry.ID = strawberry.field(description="The delivery.")


@strawberry.type(description="Result of redeliverWebhook.")
class RedeliverWebhookPayload:
    """Result of redeliverWebhook."""

    webhook_delivery: rows.WebhookDelivery | None = strawberry.field(
        default=None, graphql_type=link("WebhookDelivery") | None, description="The delivery."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )
