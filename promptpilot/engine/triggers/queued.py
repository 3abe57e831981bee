"""The times of schedules that wait for an earlier execution of their trigger to end.

Rules: they start in the order of their times, one after the other. Those of a trigger that was
switched off, changed to another type or deleted do not start any more.

After a crash: a firing is QUEUED until its execution is stored, so whoever looks next starts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from promptpilot.clock import from_ms
from promptpilot.engine.launch import Launcher, LaunchRequest
from promptpilot.engine.triggers.firing import Ending, ending_of
from promptpilot.engine.triggers.kinds import FiringOutcome, OverlapPolicy, TriggerType
from promptpilot.engine.triggers.receiver import COLUMNS, Receiver, receiver_of
from promptpilot.engine.triggers.scheduled_firings import firing_row, left_out
from promptpilot.errors import CallerError, InvalidStatus
from promptpilot.instants import instant_text
from promptpilot.models import Firing
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database

MAX_WAITING: Final = 100
_PAGE: Final = 50

_QUEUED: Final = Ending(FiringOutcome.QUEUED)
_FULL: Final = left_out(
    FiringOutcome.SKIPPED_OVERLAP,
    "QUEUE_FULL",
    f"{MAX_WAITING} earlier times wait for their turn already.",
)
_SUPERSEDED: Final = left_out(
    FiringOutcome.SKIPPED_OVERLAP, "QUEUE_SUPERSEDED", "A newer time has taken its place."
)
_LOCK: Final = {
    Dialect.POSTGRES: "SELECT id FROM triggers WHERE id = $1 FOR UPDATE",
    Dialect.SQLITE: "SELECT id FROM triggers WHERE id = $1",  # a transaction there is alone
}
#: The first one of each trigger that is free to start it, or will never be.
_HEADS = f"""
SELECT f.id AS firing_id, f.trigger_id, f.scheduled_for, {COLUMNS}
FROM (
    SELECT trigger_id, min(scheduled_for) AS first_at FROM firings WHERE outcome = 'QUEUED'
    GROUP BY trigger_id
) h
JOIN firings f ON f.trigger_id = h.trigger_id AND f.scheduled_for = h.first_at
    AND f.outcome = 'QUEUED'
LEFT JOIN triggers t ON t.id = f.trigger_id AND t.type = 'SCHEDULED'
LEFT JOIN workflows w ON w.id = t.workflow_id
WHERE t.id IS NULL OR NOT t.is_active OR NOT w.is_active OR NOT EXISTS (
    SELECT 1 FROM executions e WHERE e.trigger_id = f.trigger_id AND e.finished_at IS NULL)
ORDER BY f.scheduled_for LIMIT {_PAGE}
"""  # noqa: S608 -- constants


class QueuedFirings:
    """Keeps times waiting and starts them when it is their turn."""

    def __init__(self, database: Database, launcher: Launcher) -> None:
        self._database = database
        self._launcher = launcher

    async def put(
        self, receiver: Receiver, instant: datetime, policy: OverlapPolicy, now: datetime
    ) -> None:
        """Let an instant wait; QUEUE_ONE drops the one that waited, QUEUE_ALL the 101st.

        An instant that has a firing already is left as it is.
        """

        async def store() -> None:
            async with self._database.transaction():
                await self._database.fetch(_LOCK[self._database.dialect], receiver.id)
                await _put(receiver, instant, policy, now)

        await self._database.retry(store)

    async def start_next(self) -> int:
        """Start what waits and whose trigger is free; return how many executions there are more.

        Raises the first thing that went wrong, after all others were looked at.
        """
        rows = await self._database.fetch(_HEADS)
        taking = [self._take(row) for row in rows]
        outcomes = await asyncio.gather(*taking, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return outcomes.count(True)

    async def _take(self, row: Mapping[str, Any]) -> bool:
        """Start one firing, or end those of a trigger that does not fire any more."""
        receiver = receiver_of(row) if row["id"] is not None else None
        if receiver is None or not receiver.is_on:
            off = ending_of(InvalidStatus("The trigger was switched off meanwhile.", "INACTIVE"))
            await self._end(Firing.filter(trigger_id=row["trigger_id"]), off)
            return False
        try:
            return await self._start(receiver, row["firing_id"], from_ms(row["scheduled_for"]))
        except CallerError as fault:
            await self._end(Firing.filter(id=row["firing_id"]), ending_of(fault))
            return False

    async def _start(self, receiver: Receiver, firing_id: str, instant: datetime) -> bool:
        request = LaunchRequest(
            target=receiver.target,
            input=receiver.input,
            trigger_type=TriggerType.SCHEDULED,
            trigger_id=receiver.id,
            trigger_data={"scheduledFor": instant_text(instant)},
            queued_firing_id=firing_id,
            input_path=("input",),
        )
        return (await self._launcher.launch(request)).is_new

    async def _end(self, firings: Any, ending: Ending) -> None:
        waiting = firings.filter(outcome=FiringOutcome.QUEUED.value)
        columns = {"outcome": ending.outcome.value, "error": ending.error}
        await self._database.retry(lambda: waiting.update(**columns))


async def _put(receiver: Receiver, instant: datetime, policy: OverlapPolicy, now: datetime) -> None:
    waiting = Firing.filter(trigger_id=receiver.id, outcome=FiringOutcome.QUEUED.value)
    keeps_all = policy is OverlapPolicy.QUEUE_ALL
    is_full = keeps_all and await waiting.count() >= MAX_WAITING
    row = firing_row(receiver, instant, _FULL if is_full else _QUEUED, now)
    await Firing.bulk_create([row], ignore_conflicts=True)
    if not keeps_all and await Firing.filter(id=row.id).exists():
        columns = {"outcome": _SUPERSEDED.outcome.value, "error": _SUPERSEDED.error}
        await waiting.filter(scheduled_for__lt=instant).update(**columns)
