"""Endpoints that a test's own server answers for, and what sends to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from standardwebhooks import Webhook

from promptpilot import ids
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.endpoints.drafts import EndpointDraft
from promptpilot.engine.endpoints.kinds import WebhookEventType
from promptpilot.engine.endpoints.manage import Endpoints
from promptpilot.engine.endpoints.queue import Queue
from promptpilot.engine.endpoints.secrets import EndpointSecrets
from promptpilot.engine.endpoints.sender import LIMITS, Sender
from promptpilot.engine.principal import Principal
from promptpilot.models import (
    Execution,
    WebhookDelivery,
    WebhookDeliveryAttempt,
    WebhookEndpoint,
)
from promptpilot.models.database import Database
from tests.support.clock import ManualClock
from tests.support.hostile import HostileServer, SeenRequest
from tests.support.tools import VAULT

ENDS = (WebhookEventType.EXECUTION_COMPLETED, WebhookEventType.EXECUTION_FAILED)
LOOPBACK = AllowList.of(["127.0.0.1"])


@dataclass
class Post:
    """What it takes to be told: endpoints on a server of the test, and a sender."""

    database: Database
    clock: ManualClock
    principal: Principal
    server: HostileServer

    @property
    def verbs(self) -> Endpoints:
        """Give the verbs of endpoints."""
        return Endpoints(self.database, VAULT, self.clock)

    def sender(self, allowed: AllowList = LOOPBACK) -> Sender:
        """Make a sender, as another process would have."""
        queue = Queue(self.database, self.clock)
        http = HttpClient(allowed, LIMITS)
        return Sender(queue, http, EndpointSecrets(VAULT), self.clock)

    async def endpoint(
        self, path: str, *types: WebhookEventType, **fields: Any
    ) -> tuple[WebhookEndpoint, str]:
        """Make an endpoint at a path of the server; return it and its secret."""
        draft = EndpointDraft(url=self.server.url(path), event_types=types or ENDS, **fields)
        return await self.verbs.create(self.principal, draft)

    async def due(self, endpoint: WebhookEndpoint, **columns: Any) -> WebhookDelivery:
        """Store a delivery that is due now."""
        now = self.clock.now()
        return await stored_delivery(endpoint, **{"ready_at": now, "created_at": now, **columns})

    async def send_due(self, sender: Sender | None = None) -> int:
        """Send everything that is due; return how much it was."""
        sender, count = sender or self.sender(), 0
        for endpoint_id in await sender.turns():
            for taken in await sender.take(endpoint_id, 10):
                await sender.send(taken)
                count += 1
        return count

    async def skip_to(self, delivery: WebhookDelivery) -> WebhookDelivery:
        """Move the clock to when a delivery is due next; return it as it is."""
        row = await WebhookDelivery.get(id=delivery.id)
        if row.ready_at is not None:
            self.clock.at = max(self.clock.at, row.ready_at)
        return row


async def stored_delivery(endpoint: WebhookEndpoint, **columns: Any) -> WebhookDelivery:
    """Store a delivery to an endpoint, made and due when the endpoint was made."""
    row = WebhookDelivery(
        id=ids.new_id(ids.Kind.WEBHOOK_DELIVERY),
        workspace_id=endpoint.workspace_id,
        endpoint_id=endpoint.id,
        execution_id=ids.new_id(ids.Kind.EXECUTION),
        event_seq=3,
        event_type="execution.completed",
        status="PENDING",
        body=json.dumps({"type": "execution.completed", "data": {"a": "ä"}}),
        ready_at=endpoint.created_at,
        created_at=endpoint.created_at,
    )
    row.update_from_dict(columns)
    await row.save(force_create=True)
    return row


async def attempts_of(delivery: WebhookDelivery) -> list[WebhookDeliveryAttempt]:
    """Return the attempts of a delivery, in order."""
    return await WebhookDeliveryAttempt.filter(delivery_id=delivery.id).order_by("number")


async def stored_types(execution: Execution) -> list[str]:
    """Return of what an execution's endpoints are told, in the order in which it happened."""
    rows = await WebhookDelivery.filter(execution_id=execution.id).order_by("event_seq")
    return [row.event_type for row in rows]


def verified(secret: str, seen: SeenRequest) -> Any:
    """Return what the reference library reads out of a request that was sent just now."""
    return Webhook(secret).verify(seen.body, dict(seen.headers))
