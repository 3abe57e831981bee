"""Reading outbound webhooks: endpoints and what was sent to them."""

from __future__ import annotations

from typing import Annotated

import strawberry

from promptpilot import models as rows
from promptpilot.schema import declare, filters
from promptpilot.schema.context import Info
from promptpilot.schema.links import links
from promptpilot.schema.paging import Page, PageRequest
from promptpilot.schema.types.webhook_delivery import WebhookDeliveryFilter


@strawberry.type
class WebhookQuery:
    """Reading outbound webhooks."""

    @declare.field(
        description="The caller's webhook endpoints.", graphql_type=links("WebhookEndpoint")
    )
    @staticmethod
    async def webhook_endpoints(info: Info) -> list[rows.WebhookEndpoint]:
        return await info.context.engine.endpoints.mine(info.context.require())

    @declare.connection("WebhookDeliveryConnection", "Deliveries the caller may see, newest first.")
    @staticmethod
    async def webhook_deliveries(
        info: Info,
        page: PageRequest,
        where: Annotated[
            WebhookDeliveryFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
    ) -> Page[rows.WebhookDelivery]:
        found = filters.deliveries(info.context.require(), where)
        return await filters.delivery_page(found, page)
