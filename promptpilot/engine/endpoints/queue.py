"""The deliveries that are due: who takes which, and what is recorded of each try.

Rules: whoever takes a delivery holds it until its lease ends, and nobody else takes it until then;
what is recorded is admitted by that lease alone.

After a crash: a delivery that was taken is due again when its lease ends, under the same id.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from promptpilot import ids
from promptpilot.clock import Clock, from_ms
from promptpilot.engine.endpoints.backlog import Backlog
from promptpilot.engine.endpoints.kinds import DeliveryStatus
from promptpilot.engine.endpoints.tries import Taken, Try, Verdict
from promptpilot.models import WebhookDelivery, WebhookDeliveryAttempt, WebhookEndpoint
from promptpilot.models.address import Dialect
from promptpilot.models.columns import dump_json
from promptpilot.models.database import Database

#: Longer than a try and the recording of it may take.
LEASE: Final = timedelta(seconds=60)

_MS: Final = timedelta(milliseconds=1)
_ANY: Final = "SELECT 1 AS found FROM webhook_deliveries WHERE ready_at <= $1 LIMIT 1"
#: Jumps from endpoint to endpoint along the index, however many deliveries each has.
_TURNS: Final = """
WITH RECURSIVE e(id) AS (
    SELECT min(endpoint_id) FROM webhook_deliveries WHERE ready_at IS NOT NULL
    UNION ALL
    SELECT (SELECT min(d.endpoint_id) FROM webhook_deliveries d
        WHERE d.ready_at IS NOT NULL AND d.endpoint_id > e.id) FROM e WHERE e.id IS NOT NULL
)
SELECT id FROM e WHERE id IS NOT NULL AND EXISTS (
    SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.ready_at <= $1)
"""
_TAKE: Final = """
WITH due AS MATERIALIZED (
    SELECT id FROM webhook_deliveries WHERE endpoint_id = $1 AND ready_at <= $2
    ORDER BY ready_at, id LIMIT $3 {skip}
)
UPDATE webhook_deliveries SET owner = $4, ready_at = $5 WHERE id IN (SELECT id FROM due)
RETURNING id
"""
#: Of what somebody asked for meanwhile, only the count of attempts is kept.
_RECORD: Final = """
UPDATE webhook_deliveries SET
    owner = NULL, attempt_count = attempt_count + 1,
    tries = CASE WHEN generation = $3 THEN tries + 1 ELSE 0 END,
    status = CASE WHEN generation = $3 THEN $4 ELSE 'PENDING' END,
    ready_at = CASE WHEN generation = $3 THEN CAST($5 AS BIGINT) ELSE CAST($6 AS BIGINT) END,
    finished_at = CASE WHEN generation = $3 AND $4 <> 'PENDING' THEN CAST($6 AS BIGINT) END,
    error = CASE WHEN generation = $3 THEN {error} END
WHERE id = $1 AND owner = $2
RETURNING attempt_count
"""


class Queue:
    """Takes and records. Any number of processes may."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._backlog = Backlog(database, clock)
        is_shared = database.dialect is Dialect.POSTGRES
        self._take = _TAKE.format(skip="FOR UPDATE SKIP LOCKED" if is_shared else "")
        self._record = _RECORD.format(error="CAST($7 AS JSON)" if is_shared else "$7")
        self._is_off = "SELECT 1 AS found FROM webhook_endpoints WHERE id = $1 AND NOT is_active"
        if is_shared:
            self._is_off += " FOR UPDATE"

    async def now(self) -> datetime:
        """Return what time it is for deliveries."""
        return await self._backlog.now()

    async def turns(self) -> list[str]:
        """Return the endpoints, by id, for which something is due."""
        now = await self._backlog.now_ms()
        if not await self._database.fetch(_ANY, now):
            return []
        return [row["id"] for row in await self._database.fetch(_TURNS, now)]

    async def take(self, endpoint_id: str, limit: int) -> list[Taken]:
        """Take at most `limit` deliveries that are due for one endpoint, the oldest first.

        What is due for one that is switched off waits until it is on again; what is due for one
        that was deleted is given up.
        """
        endpoint = await WebhookEndpoint.get_or_none(id=endpoint_id)
        if endpoint is None:
            await self._database.retry(partial(self._backlog.give_up, endpoint_id))
            return []
        if not endpoint.is_active:
            await self._database.retry(partial(self._hold, endpoint_id))
            return []
        owner = ids.new_reference()
        now = await self._backlog.now_ms()
        values = (endpoint_id, now, limit, owner, now + LEASE // _MS)
        await self._database.retry(lambda: self._database.fetch(self._take, *values))
        rows = await WebhookDelivery.filter(owner=owner, endpoint_id=endpoint_id).order_by("id")
        return [Taken(row, endpoint, owner) for row in rows]

    async def record(self, taken: Taken, tried: Try, verdict: Verdict) -> bool:
        """Store a try and what it led to; return False, and store nothing, if the lease is lost.

        A delivery that somebody asked for meanwhile is due again at once, whatever came of it.
        """
        return await self._database.retry(partial(self._record_once, taken, tried, verdict))

    async def _record_once(self, taken: Taken, tried: Try, verdict: Verdict) -> bool:
        now, delivery = await self._backlog.now_ms(), taken.delivery
        ready_at = None if verdict.delay is None else now + verdict.delay // _MS
        is_given_up = verdict.status is DeliveryStatus.FAILED
        error = dump_json(dict(verdict.error or {})) if is_given_up else None
        async with self._database.transaction():
            found = await self._database.fetch(
                self._record,
                *(delivery.id, taken.owner, delivery.generation),
                *(verdict.status.value, ready_at, now, error),
            )
            if not found:
                return False
            await _store(delivery.id, found[0]["attempt_count"], tried)
            await self._note(taken.endpoint, verdict, from_ms(now))
        return True

    async def _note(self, endpoint: WebhookEndpoint, verdict: Verdict, now: datetime) -> None:
        """Keep since when an endpoint fails, and switch it off if need be."""
        mine = WebhookEndpoint.filter(id=endpoint.id)
        if verdict.error is None:
            await mine.filter(failing_since__isnull=False).update(failing_since=None)
            return
        await mine.filter(failing_since__isnull=True).update(failing_since=now)
        if verdict.disable is not None:
            off = {"is_active": False, "starts_since": None, "updated_at": now}
            await mine.filter(is_active=True).update(**off, disabled_reason=verdict.disable.value)
            await self._backlog.hold(endpoint.id)

    async def _hold(self, endpoint_id: str) -> None:
        async with self._database.transaction():
            # Its row is locked: it cannot be switched on in between.
            if await self._database.fetch(self._is_off, endpoint_id):
                await self._backlog.hold(endpoint_id)


async def _store(delivery_id: str, number: int, tried: Try) -> None:
    attempt = WebhookDeliveryAttempt(
        delivery_id=delivery_id,
        number=number,
        started_at=tried.started_at,
        duration_ms=tried.duration_ms,
        response_status=tried.status,
        response_body=tried.body,
        error=None if tried.error is None else dict(tried.error),
    )
    await attempt.save(force_create=True)
