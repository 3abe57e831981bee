"""Addresses that are told about executions."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.endpoints.drafts import EndpointChange, EndpointDraft
from promptpilot.engine.endpoints.kinds import DisabledReason, WebhookEventType
from promptpilot.schema import declare, filters
from promptpilot.schema.context import Info
from promptpilot.schema.given import changed, changed_to, given
from promptpilot.schema.links import link, links
from promptpilot.schema.paging import Page, PageRequest
from promptpilot.schema.scalars import URL
from promptpilot.schema.types.relay import Node
from promptpilot.schema.types.user_error import UserError
from promptpilot.schema.types.webhook_delivery import WebhookDeliveryFilter


@strawberry.type(description="An address that is told about executions (Standard Webhooks).")
class WebhookEndpoint(Node):
    """An address that is told about executions."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    url: URL = strawberry.field(description="Where to send.")
    description: str | None = strawberry.field(description="What it is.")
    is_active: bool = strawberry.field(
        description=(
            "Nothing is sent while false; set to false by the server after 5 days of failures."
        )
    )
    secret_preview: str = strawberry.field(description="Start and end of the signing secret.")
    failing_since: datetime | None = strawberry.field(
        description="Since when every attempt has failed; null when the last one did not."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.WebhookEndpoint)

    @declare.field(description="Which events.")
    @staticmethod
    def event_types(root: Parent[rows.WebhookEndpoint]) -> list[WebhookEventType]:
        return [WebhookEventType(each) for each in root.event_types]

    @declare.field(
        description="Why the server switched it off; null unless it did.",
    )
    @staticmethod
    def disabled_reason(root: Parent[rows.WebhookEndpoint]) -> DisabledReason | None:
        return None if root.disabled_reason is None else DisabledReason(root.disabled_reason)

    @declare.field(
        description="Only for these workflows; empty means all.", graphql_type=links("Workflow")
    )
    @staticmethod
    async def workflows(root: Parent[rows.WebhookEndpoint], info: Info) -> list[rows.Workflow]:
        loader = info.context.loaders.workflow
        found = await asyncio.gather(*map(loader.load, root.workflow_ids))
        return [each for each in found if each is not None]

    @declare.connection("WebhookDeliveryConnection", "What was sent, newest first.")
    @staticmethod
    async def deliveries(
        root: Parent[rows.WebhookEndpoint],
        info: Info,
        page: PageRequest,
        where: Annotated[
            WebhookDeliveryFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
    ) -> Page[rows.WebhookDelivery]:
        found = filters.deliveries(info.context.require(), where)
        page = page.read_by(info.context.together)
        return await filters.delivery_page(found.filter(endpoint_id=root.id), page)


@strawberry.input(description="New webhook endpoint. The server makes the secret.")
class CreateWebhookEndpointInput:
    """New webhook endpoint."""

    url: URL = strawberry.field(description="Where to send.")
    description: str | None = strawberry.field(default=strawberry.UNSET, description="What it is.")
    event_types: list[WebhookEventType] = strawberry.field(description="Which events.")
    workflow_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Only for these workflows."
    )

    def to_draft(self) -> EndpointDraft:
        """Return the draft as the engine knows it."""
        return EndpointDraft(
            url=self.url,
            description=given(self.description),
            event_types=tuple(self.event_types),
            workflow_ids=tuple(given(self.workflow_ids) or ()),
        )


@strawberry.input(description="Change of a webhook endpoint.")
class UpdateWebhookEndpointInput:
    """Change of a webhook endpoint."""

    id: strawberry.ID = strawberry.field(description="The endpoint.")
    url: URL | None = strawberry.field(default=strawberry.UNSET, description="New address.")
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="New description; null clears it."
    )
    event_types: list[WebhookEventType] | None = strawberry.field(
        default=strawberry.UNSET, description="New events."
    )
    workflow_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="New workflows."
    )
    is_active: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Switch on or off."
    )

    def to_change(self) -> EndpointChange:
        """Return the change as the engine knows it."""
        return EndpointChange(
            id=self.id,
            url=changed(self.url),
            description=changed(self.description),
            event_types=changed_to(self.event_types, tuple),
            workflow_ids=changed_to(self.workflow_ids, tuple),
            is_active=changed(self.is_active),
        )


@strawberry.input(description="Delete a webhook endpoint.")
class DeleteWebhookEndpointInput:
    """Delete a webhook endpoint."""

    id: strawberry.ID = strawberry.field(description="The endpoint.")


@strawberry.type(description="Result of createWebhookEndpoint.")
class CreateWebhookEndpointPayload:
    """Result of createWebhookEndpoint."""

    webhook_endpoint: rows.WebhookEndpoint | None = strawberry.field(
        default=None,
        graphql_type=link("WebhookEndpoint") | None,
        description="The new endpoint.",
    )
    secret: str | None = strawberry.field(
        default=None, description="Signing secret, shown this once."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of updateWebhookEndpoint.")
class UpdateWebhookEndpointPayload:
    """Result of updateWebhookEndpoint."""

    webhook_endpoint: rows.WebhookEndpoint | None = strawberry.field(
        default=None, graphql_type=link("WebhookEndpoint") | None, description="The endpoint."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of deleteWebhookEndpoint.")
class DeleteWebhookEndpointPayload:
    """Result of deleteWebhookEndpoint."""

    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the deleted endpoint, for client caches."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )
