"""Removes what no reader can reach any more: nothing that anybody could still be shown.

Rules: a few rows at a time, the oldest first, so that nobody waits for it. Any number of processes
may do it at once; each row is removed once.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, Final

from promptpilot.clock import Clock, to_ms
from promptpilot.engine.execution_feed import REACH
from promptpilot.engine.launch import KEY_LIFETIME
from promptpilot.engine.login_limits import WINDOW
from promptpilot.models.database import Database

#: Rows removed by one statement.
BATCH: Final = 1000
#: Beyond what a reader may ask for, so that nothing is removed under one who has just begun.
_MARGIN: Final = timedelta(hours=1)
#: A session that is over is kept so long, for whoever asks why a token does not work.
_SESSION_KEPT: Final = timedelta(days=30)

_WORKSPACES: Final = "SELECT DISTINCT workspace_id FROM execution_feed"
_OLDEST: Final = f"""
SELECT f.position, f.execution_id, f.seq, v.at FROM execution_feed f
LEFT JOIN execution_events v ON v.execution_id = f.execution_id AND v.seq = f.seq
WHERE f.workspace_id = $1 ORDER BY f.position, f.execution_id, f.seq LIMIT {BATCH}
"""  # noqa: S608 -- a constant
_DELETE_FEED: Final = """
DELETE FROM execution_feed
WHERE workspace_id = $1 AND (position, execution_id, seq) <= ($2, $3, $4)
"""


def _delete_some(table: str, key: str, is_over: str) -> str:
    """Return the statement that removes a batch of what is over."""
    # Said twice: a row that was renewed after it was chosen is kept.
    chosen = f"SELECT {key} FROM {table} WHERE {is_over} LIMIT {BATCH}"  # noqa: S608 -- constants
    return f"DELETE FROM {table} WHERE ({key}) IN ({chosen}) AND ({is_over})"  # noqa: S608 -- the same


_DELETE_KEYS: Final = _delete_some(
    "idempotency_keys", "workspace_id, operation, key", "created_at < $1"
)
_DELETE_FAILURES: Final = _delete_some("login_failures", "key", "window_at < $1")
_DELETE_SESSIONS: Final = _delete_some("sessions", "id", "expires_at < $1 OR ended_at < $1")


class Retention:
    """Knows what is over, and removes it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def prune(self) -> int:
        """Remove what is over; return how many rows that was."""
        return (
            await self._prune_feed()
            + await self._delete(_DELETE_KEYS, KEY_LIFETIME + _MARGIN)
            + await self._delete(_DELETE_FAILURES, WINDOW + _MARGIN)
            + await self._delete(_DELETE_SESSIONS, _SESSION_KEPT)
        )

    async def _delete(self, statement: str, age: timedelta) -> int:
        before = to_ms(self._clock.now() - age)
        delete, count, removed = partial(self._database.execute, statement, before), 0, BATCH
        while removed == BATCH:
            removed = await self._database.retry(delete)
            count += removed
        return count

    async def _prune_feed(self) -> int:
        count = 0
        for row in await self._database.fetch(_WORKSPACES):
            count += await self._prune_feed_of(row["workspace_id"])
        return count

    async def _prune_feed_of(self, workspace_id: str) -> int:
        """Remove a workspace's entries that no cursor leads to any more, page by page."""
        cutoff, count = to_ms(self._clock.now() - REACH - _MARGIN), 0
        while True:
            page = await self._database.fetch(_OLDEST, workspace_id)
            last = _last_before(page, cutoff)
            if last is None:
                return count
            place = (last["position"], last["execution_id"], last["seq"])
            delete = partial(self._database.execute, _DELETE_FEED, workspace_id, *place)
            count += await self._database.retry(delete)
            if last is not page[-1] or len(page) < BATCH:
                return count


def _last_before(page: list[dict[str, Any]], cutoff: int) -> dict[str, Any] | None:
    """Return the last entry before the first that is younger; one whose event is gone is old."""
    last = None
    for row in page:
        if row["at"] is not None and row["at"] >= cutoff:
            return last
        last = row
    return last
