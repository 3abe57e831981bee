"""Stores what endpoints are to be told, in the transaction in which triggers are told the same.

Rules: one delivery for each endpoint and event of an execution, because of a unique key; so telling
again stores nothing twice. Nothing is sent here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.endpoints.kinds import DeliveryStatus
from promptpilot.engine.triggers.tidings import STARTED, Tiding
from promptpilot.instants import instant_text
from promptpilot.json_values import encode_json
from promptpilot.models import WebhookDelivery, WebhookEndpoint

#: By how much the clocks of processes may differ from the database's.
_SLACK: Final = timedelta(minutes=1)


class Outbox:
    """What the news of executions become for endpoints; fills the port of `News`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def wanted(self, workspace_ids: Iterable[str]) -> Mapping[str, set[str]]:
        """Return the types of events that some endpoint is told of, by workspace."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for row in await _listening(workspace_ids):
            wanted[row.workspace_id].update(row.event_types)
        return wanted

    async def store(self, tidings: Sequence[Tiding]) -> None:
        """Store a delivery of each tiding for each endpoint that wants it and has none."""
        now = self._clock.now()
        endpoints: dict[str, list[WebhookEndpoint]] = defaultdict(list)
        for row in await _listening({each.workspace_id for each in tidings}):
            endpoints[row.workspace_id].append(row)
        rows = [
            _delivery(tiding, endpoint, now)
            for tiding in tidings
            for endpoint in endpoints[tiding.workspace_id]
            if _wants(endpoint, tiding)
        ]
        await WebhookDelivery.bulk_create(rows, ignore_conflicts=True)


async def _listening(workspace_ids: Iterable[str]) -> list[WebhookEndpoint]:
    chosen = WebhookEndpoint.filter(workspace_id__in=sorted(workspace_ids), is_active=True)
    return await chosen.order_by("created_at", "id")


def _wants(endpoint: WebhookEndpoint, tiding: Tiding) -> bool:
    if tiding.type not in endpoint.event_types:
        return False
    if endpoint.workflow_ids and tiding.workflow_id not in endpoint.workflow_ids:
        return False
    if tiding.type != STARTED:
        return True
    # Of an execution that ran already, its start comes up again when it ends; that is no news.
    since = endpoint.starts_since
    return since is not None and tiding.at >= since - _SLACK


def _delivery(tiding: Tiding, endpoint: WebhookEndpoint, now: datetime) -> WebhookDelivery:
    message = {"type": tiding.type, "timestamp": instant_text(tiding.at), "data": tiding.payload}
    return WebhookDelivery(
        id=ids.new_id(ids.Kind.WEBHOOK_DELIVERY),
        workspace_id=tiding.workspace_id,
        endpoint_id=endpoint.id,
        execution_id=tiding.execution_id,
        event_seq=tiding.seq,
        event_type=tiding.type,
        status=DeliveryStatus.PENDING.value,
        body=encode_json(message),
        # An instant of the database's clock, by which it is claimed.
        ready_at=tiding.at,
        created_at=now,
    )
