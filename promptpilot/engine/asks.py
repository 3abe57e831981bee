"""Looks, twice a second, what is asked of the executions that a runner holds.

A person's cancellation is a mark on the execution's row. Heartbeats see it too, but only three
times a lease; this look is one small query by an index of just the marked rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta

import structlog

from promptpilot.engine.lease import Lease
from promptpilot.models.database import Database

LOOK_EVERY = timedelta(milliseconds=500)

# The status is a constant, so that the partial index is used.
_ASKED = """
SELECT id, fence, cancel_requested_at, pause_requested_at FROM executions
WHERE owner = $1 AND status = 'RUNNING'
    AND (cancel_requested_at IS NOT NULL OR pause_requested_at IS NOT NULL)
"""

log = structlog.get_logger(__name__)


async def look_forever(database: Database, owner: str, leases: Collection[Lease]) -> None:
    """Tell each of `leases`, whatever they are at the time, what is asked of its execution."""
    while True:
        await asyncio.sleep(LOOK_EVERY.total_seconds())
        if leases:
            await look(database, owner, leases)


async def look(database: Database, owner: str, leases: Collection[Lease]) -> None:
    """Look once. A database that does not answer is asked again at the next look."""
    try:
        rows = await database.fetch(_ASKED, owner)
    except Exception as error:  # noqa: BLE001 -- looks must go on; the beats judge the database
        log.warning("asks.unseen", error=repr(error))
        return
    asked = {(row["id"], row["fence"]): row for row in rows}
    for lease in list(leases):
        row = asked.get((lease.execution_id, lease.fence))
        if row is not None:
            lease.heed(
                is_cancel_requested=row["cancel_requested_at"] is not None,
                is_pause_requested=row["pause_requested_at"] is not None,
            )
