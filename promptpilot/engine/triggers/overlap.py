"""Decides what a time of a schedule does when earlier executions of its trigger have not ended.

Rules: executions that wait or are paused have not ended. Times are handled in their order, and
what a time itself has started is not in its way, so handling it again changes nothing.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Final

from promptpilot.clock import to_ms
from promptpilot.engine.control import Control
from promptpilot.engine.ports import Feed
from promptpilot.engine.triggers.kinds import FiringOutcome, OverlapPolicy
from promptpilot.engine.triggers.queued import QueuedFirings
from promptpilot.engine.triggers.receiver import Receiver
from promptpilot.engine.triggers.scheduled_firings import ScheduledFirings, left_out
from promptpilot.errors import InvalidStatus, NotFound
from promptpilot.models.database import Database

_PAGE: Final = 200
_OVERLAP: Final = left_out(
    FiringOutcome.SKIPPED_OVERLAP, "OVERLAP", "An earlier execution of the trigger has not ended."
)
#: As the index of instants says it, so that it is searched.
_IS_HANDLED = """
    SELECT 1 FROM firings WHERE trigger_id = $1 AND scheduled_for = $2 AND outcome <> 'DUPLICATE'
"""
_EARLIER = f"""
SELECT e.id, e.workspace_id FROM executions e LEFT JOIN firings f ON f.id = e.firing_id
WHERE e.trigger_id = $1 AND e.finished_at IS NULL AND e.id > $3
    AND (f.scheduled_for IS NULL OR f.scheduled_for < $2) AND NOT EXISTS ({_IS_HANDLED})
"""  # noqa: S608 -- constants
_IS_BUSY = f"""
SELECT 1 AS busy WHERE EXISTS ({_EARLIER}) OR EXISTS (
    SELECT 1 FROM firings WHERE trigger_id = $1 AND outcome = 'QUEUED' AND scheduled_for < $2)
"""  # noqa: S608 -- constants
_OPEN = f"{_EARLIER} ORDER BY e.id LIMIT {_PAGE}"


class Overlaps:
    """Lets times of a schedule start, wait, or be left out."""

    def __init__(
        self,
        database: Database,
        control: Control,
        feed: Feed,
        firings: ScheduledFirings,
        queued: QueuedFirings,
    ) -> None:
        self._database = database
        self._control = control
        self._feed = feed
        self._firings = firings
        self._queued = queued

    async def admit(self, receiver: Receiver, instant: datetime, now: datetime) -> bool:
        """Return whether an instant is to start now; otherwise it was recorded what becomes of it.

        May be called again for the same instant.
        """
        policy = OverlapPolicy(receiver.config["overlap_policy"])
        if policy is OverlapPolicy.ALLOW:
            return True
        if policy is OverlapPolicy.CANCEL_RUNNING:
            await self._cancel_earlier(receiver.id, instant)
            return True
        if not await self._database.fetch(_IS_BUSY, receiver.id, to_ms(instant), ""):
            return True
        if policy is OverlapPolicy.SKIP:
            await self._firings.record(receiver, [instant], _OVERLAP, now)
        else:
            await self._queued.put(receiver, instant, policy, now)
        return False

    async def _cancel_earlier(self, trigger_id: str, instant: datetime) -> None:
        last = ""
        while rows := await self._database.fetch(_OPEN, trigger_id, to_ms(instant), last):
            last = rows[-1]["id"]
            for row in rows:
                await self._cancel(row["workspace_id"], row["id"])

    async def _cancel(self, workspace_id: str, execution_id: str) -> None:
        with suppress(InvalidStatus, NotFound):  # it has ended meanwhile
            reason = "The next time of its trigger has come."
            await self._control.cancel(workspace_id, execution_id, reason)
            self._feed.ring(execution_id, workspace_id)
