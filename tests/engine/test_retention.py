"""Proves that what nobody can reach is removed, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from promptpilot.clock import to_ms
from promptpilot.engine import retention as module
from promptpilot.engine.retention import Retention
from promptpilot.models import IdempotencyKey, Session
from promptpilot.models.database import Database
from tests.support.clock import ManualClock

_ENTRY = (
    "INSERT INTO execution_feed (workspace_id, position, execution_id, seq) VALUES ($1, $2, $3, $4)"
)
_EVENT = """
INSERT INTO execution_events (execution_id, seq, kind, at) VALUES ($1, $2, 'STATUS', $3)
"""


class _Watched:
    """A database that remembers how many rows each statement removed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fetch, self.retry = database.fetch, database.retry
        self.removed: list[int] = []

    async def execute(self, statement: str, *values: Any) -> int:
        """Carry a statement out."""
        self.removed.append(await self._database.execute(statement, *values))
        return self.removed[-1]


@pytest.fixture
def retention(database: Database, clock: ManualClock) -> Retention:
    """Give what removes."""
    return Retention(database, clock)


async def _tell(
    database: Database, clock: ManualClock, *hours: float, of: str = "ws_1", first: int = 1
) -> None:
    """Store an entry of each age, the oldest first."""
    for position, age in enumerate(sorted(hours, reverse=True), start=first):
        at = to_ms(clock.now() - timedelta(hours=age))
        await database.execute(_ENTRY, of, position, f"ex_{of}", position)
        await database.execute(_EVENT, f"ex_{of}", position, at)


async def _left(database: Database) -> list[tuple[str, int]]:
    rows = await database.fetch(
        "SELECT workspace_id, position FROM execution_feed ORDER BY workspace_id, position"
    )
    return [(row["workspace_id"], row["position"]) for row in rows]


async def test_entries_that_no_cursor_reaches_are_removed(
    retention: Retention, database: Database, clock: ManualClock
) -> None:
    await _tell(database, clock, 48, 26, 24.5, 1)
    await _tell(database, clock, 30, of="ws_2", first=9)

    count = await retention.prune()

    assert count == 3
    assert await _left(database) == [("ws_1", 3), ("ws_1", 4)]


async def test_many_entries_are_removed_page_by_page(
    retention: Retention, database: Database, clock: ManualClock
) -> None:
    await _tell(database, clock, *(26 + number for number in range(module.BATCH + 10)), 1)

    count = await retention.prune()

    assert count == module.BATCH + 10
    assert await _left(database) == [("ws_1", module.BATCH + 11)]


async def test_an_entry_whose_event_is_gone_keeps_nothing_back(
    retention: Retention, database: Database, clock: ManualClock
) -> None:
    await _tell(database, clock, 48, 26, 1)
    await database.execute("DELETE FROM execution_events WHERE seq = 1")

    assert await retention.prune() == 2


async def test_keys_that_are_free_again_are_removed(
    retention: Retention, clock: ManualClock
) -> None:
    for name, hours in (("old", 26), ("held", 23)):
        await IdempotencyKey.create(
            workspace_id="ws_1",
            operation="o",
            key=name,
            request_sha256="x",
            result_id="y",
            created_at=clock.now() - timedelta(hours=hours),
        )

    assert await retention.prune() == 1
    assert [row.key for row in await IdempotencyKey.all()] == ["held"]


async def test_no_statement_removes_more_than_a_few_rows(
    database: Database, clock: ManualClock
) -> None:
    watched, old = _Watched(database), clock.now() - timedelta(hours=26)
    same = {"workspace_id": "ws_1", "operation": "o", "request_sha256": "x", "result_id": "y"}
    keys = [IdempotencyKey(**same, key=str(n), created_at=old) for n in range(module.BATCH + 10)]
    await IdempotencyKey.bulk_create(keys)

    count = await Retention(cast("Database", watched), clock).prune()

    assert count == module.BATCH + 10
    assert max(watched.removed) == module.BATCH


async def test_sessions_are_kept_for_a_while_after_their_end(
    retention: Retention, clock: ManualClock, database: Database
) -> None:
    await database.execute(
        "INSERT INTO users (id, email, email_key, role, password_hash, created_at)"
        " VALUES ('usr_1', 'a', 'a', 'USER', 'x', 1)"
    )
    for number, days in enumerate((31, 29, -1)):
        ends = clock.now() - timedelta(days=days)
        await Session.create(
            id=f"ses_{number}", user_id="usr_1", refreshed_at=ends, created_at=ends, expires_at=ends
        )

    assert await retention.prune() == 1
    assert await Session.all().count() == 2
