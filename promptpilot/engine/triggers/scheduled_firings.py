"""Records what became of times of a schedule that started nothing, or nothing yet.

Invariant: a (trigger, instant) has one firing. Whoever records it a second time changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from promptpilot import ids
from promptpilot.engine.triggers.firing import Ending
from promptpilot.engine.triggers.kinds import FiringOutcome, TriggerType
from promptpilot.engine.triggers.receiver import Receiver
from promptpilot.models import Firing
from promptpilot.models.database import Database

_BATCH: Final = 500


class ScheduledFirings:
    """Writes the firings of schedules that start nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self, receiver: Receiver, instants: Iterable[datetime], ending: Ending, now: datetime
    ) -> None:
        """Store one firing for each instant that has none yet."""
        rows = [firing_row(receiver, instant, ending, now) for instant in instants]

        async def store() -> None:
            await Firing.bulk_create(rows, batch_size=_BATCH, ignore_conflicts=True)

        if rows:
            await self._database.retry(store)


def firing_row(receiver: Receiver, instant: datetime, ending: Ending, now: datetime) -> Firing:
    """Return the firing of an instant, which is handled now."""
    return Firing(
        id=ids.new_id(ids.Kind.FIRING),
        workspace_id=receiver.target.workspace_id,
        trigger_id=receiver.id,
        trigger_type=TriggerType.SCHEDULED.value,
        outcome=ending.outcome.value,
        scheduled_for=instant,
        error=ending.error,
        created_at=now,
    )


def left_out(outcome: FiringOutcome, code: str, message: str, **details: Any) -> Ending:
    """Return what came of a time that was left out for a reason of the schedule's own."""
    error = {"code": code, "message": message, "isRetryable": False, "details": details}
    return Ending(outcome, error=error)
