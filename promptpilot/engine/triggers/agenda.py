"""The stored side of the clock: which triggers are due, and how far each has been handled.

Invariant: `next_run_at` is the first time of a trigger that was not handled. It moves on only from
the value that was read, under the settings that were read, so no two schedulers move it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from promptpilot.clock import Clock, from_ms, to_ms
from promptpilot.engine.triggers.receiver import COLUMNS, TABLES, Receiver, receiver_of
from promptpilot.models import Trigger
from promptpilot.models.database import Database
from promptpilot.models.database_time import NOW_MS

PAGE: Final = 50
_RECOMPUTED_PAGE: Final = 200
#: Before every trigger.
_START: Final = (0, "")

_LOOK = """
SELECT coalesce(CAST($1 AS BIGINT), {now}) AS now,
    (SELECT min(next_run_at) FROM triggers WHERE next_run_at IS NOT NULL
        AND is_active AND type = 'SCHEDULED') AS next_at,
    EXISTS (SELECT 1 FROM firings WHERE outcome = 'QUEUED') AS has_queue
"""
_SELECT = f"SELECT {COLUMNS}, t.revision AS trigger_revision, t.next_run_at FROM {TABLES}"  # noqa: S608 -- constants
_DUE = f"""
{_SELECT}
WHERE t.next_run_at <= $1 AND (t.next_run_at > $2 OR (t.next_run_at = $2 AND t.id > $3))
    AND t.is_active AND t.type = 'SCHEDULED'
ORDER BY t.next_run_at, t.id LIMIT {PAGE}
"""
_AHEAD = f"""
{_SELECT}
WHERE t.id > $1 AND t.next_run_at > $2 AND t.is_active AND t.type = 'SCHEDULED'
ORDER BY t.id LIMIT {_RECOMPUTED_PAGE}
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """What there is to do now, and when there will be more."""

    now: datetime
    next_at: datetime | None
    has_queue: bool

    @property
    def is_due(self) -> bool:
        """Whether a time of some trigger has come."""
        return self.next_at is not None and self.next_at <= self.now


@dataclass(frozen=True, slots=True)
class Due:
    """A SCHEDULED trigger that is switched on, as it was read. `since` is its `next_run_at`."""

    receiver: Receiver
    revision: int
    since: datetime

    @property
    def id(self) -> str:
        """The trigger's id."""
        return self.receiver.id


class Agenda:
    """Reads what is due by the database's clock, unless a `clock` is given (tests move one)."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock
        self._look = _LOOK.format(now=NOW_MS[database.dialect])

    async def look(self) -> Moment:
        """Return what there is to do now."""
        given = None if self._clock is None else to_ms(self._clock.now())
        (row,) = await self._database.fetch(self._look, given)
        next_at = None if row["next_at"] is None else from_ms(row["next_at"])
        return Moment(from_ms(row["now"]), next_at, bool(row["has_queue"]))

    async def due(self, now: datetime, after: Due | None) -> list[Due]:
        """Return the next page of triggers that are due, the longest waiting first."""
        begin = _START if after is None else (to_ms(after.since), after.id)
        rows = await self._database.fetch(_DUE, to_ms(now), *begin)
        return [_due(row) for row in rows]

    async def ahead(self, now: datetime, after_id: str) -> list[Due]:
        """Return the next page of triggers that fire later, by id."""
        rows = await self._database.fetch(_AHEAD, after_id, to_ms(now))
        return [_due(row) for row in rows]

    async def move_on(self, due: Due, next_at: datetime | None, handled: datetime | None) -> bool:
        """Store when a trigger fires next and up to when it was `handled`, None if as before.

        Returns False, and stores nothing, if it has moved or was changed since it was read.
        """
        columns: dict[str, Any] = {"next_run_at": next_at}
        if handled is not None:
            columns["last_scheduled_for"] = handled
        return await self._overwrite(due, columns)

    async def pause(self, due: Due, reason: str, now: datetime) -> bool:
        """Switch a trigger off, unless it was changed since it was read."""
        columns = {
            "is_active": False,
            "paused_reason": reason,
            "next_run_at": None,
            "revision": due.revision + 1,
            "updated_at": now,
        }
        return await self._overwrite(due, columns)

    async def _overwrite(self, due: Due, columns: Mapping[str, Any]) -> bool:
        unchanged = Trigger.filter(id=due.id, next_run_at=due.since, revision=due.revision)

        async def store() -> int:
            return await unchanged.update(**columns)

        return await self._database.retry(store) > 0


def _due(row: Mapping[str, Any]) -> Due:
    return Due(receiver_of(row), row["trigger_revision"], from_ms(row["next_run_at"]))
