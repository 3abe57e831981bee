"""Telling other servers about executions."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot.schema import declare
from promptpilot.schema.arguments import ARGUMENTS
from promptpilot.schema.context import Info
from promptpilot.schema.errors import reporting
from promptpilot.schema.types.webhook_delivery import (
    RedeliverWebhookInput,
    RedeliverWebhookPayload,
)
from promptpilot.schema.types.webhook_endpoint import (
    CreateWebhookEndpointInput,
    CreateWebhookEndpointPayload,
    DeleteWebhookEndpointInput,
    DeleteWebhookEndpointPayload,
    UpdateWebhookEndpointInput,
    UpdateWebhookEndpointPayload,
)


@strawberry.type
class WebhookEndpointMutations:
    """Telling other servers about executions."""

    @declare.mutation(description="Make a webhook endpoint.")
    @staticmethod
    @reporting(CreateWebhookEndpointPayload)
    async def create_webhook_endpoint(
        info: Info, input: Annotated[CreateWebhookEndpointInput, ARGUMENTS]
    ) -> CreateWebhookEndpointPayload:
        endpoints = info.context.engine.endpoints
        row, secret = await endpoints.create(info.context.require(), input.to_draft())
        return CreateWebhookEndpointPayload(webhook_endpoint=row, secret=secret)

    @declare.mutation(description="Change a webhook endpoint.")
    @staticmethod
    @reporting(UpdateWebhookEndpointPayload)
    async def update_webhook_endpoint(
        info: Info, input: Annotated[UpdateWebhookEndpointInput, ARGUMENTS]
    ) -> UpdateWebhookEndpointPayload:
        endpoints = info.context.engine.endpoints
        row = await endpoints.update(info.context.require(), input.to_change())
        return UpdateWebhookEndpointPayload(webhook_endpoint=row)

    @declare.mutation(description="Delete a webhook endpoint.")
    @staticmethod
    @reporting(DeleteWebhookEndpointPayload)
    async def delete_webhook_endpoint(
        info: Info, input: Annotated[DeleteWebhookEndpointInput, ARGUMENTS]
    ) -> DeleteWebhookEndpointPayload:
        deleted = await info.context.engine.endpoints.delete(info.context.require(), input.id)
        return DeleteWebhookEndpointPayload(deleted_id=strawberry.ID(deleted))

    @declare.mutation(description="Send a delivery again.")
    @staticmethod
    @reporting(RedeliverWebhookPayload)
    async def redeliver_webhook(
        info: Info, input: Annotated[RedeliverWebhookInput, ARGUMENTS]
    ) -> RedeliverWebhookPayload:
        endpoints = info.context.engine.endpoints
        row = await endpoints.redeliver(info.context.require(), input.delivery_id)
        return RedeliverWebhookPayload(webhook_delivery=row)
