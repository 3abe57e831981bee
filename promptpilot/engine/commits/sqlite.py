"""Commits groups on SQLite: one thread owns one connection and commits a whole group at once.

The connection takes turns with the transactions of the process through the database's write
lock, so neither polls for the file's own lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from promptpilot.clock import Clock, to_ms
from promptpilot.engine.commits.items import (
    FIRING_COLUMNS,
    Claim,
    Claimed,
    Columns,
    FencedWrite,
    Item,
    Opening,
    Recorded,
    Renewal,
    Renewed,
)
from promptpilot.engine.sql import statements
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database, is_transient


class SqliteStore:
    """Holds the thread and, inside it, the connection."""

    def __init__(self, database: Database, clock: Clock, synchronous: str) -> None:
        self._database = database
        self._clock = clock
        self._synchronous = synchronous
        self._sql = statements(Dialect.SQLITE)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._connection: sqlite3.Connection | None = None

    async def commit(self, items: Sequence[Item]) -> list[Any]:
        """Commit all of `items` in one transaction; return outcomes in their order."""
        async with self._database.write_lock:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._commit, items)
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait([work])  # the lock is given back only when the thread is idle
                raise

    def is_transient(self, error: Exception) -> bool:
        """Whether the same group may succeed if it is sent again."""
        return is_transient(error)

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    # From here on: inside the thread.

    def _commit(self, items: Sequence[Item]) -> list[Any]:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        try:
            now = to_ms(self._clock.now())
            results = [self._run(connection, item, now) for item in items]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            path = self._database.address.path
            connection = sqlite3.connect(path, isolation_level=None, cached_statements=64)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA busy_timeout=15000")
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute("PRAGMA journal_mode=WAL")
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, connection: sqlite3.Connection, item: Item, now: int) -> Any:
        match item:
            case FencedWrite():
                return self._record(connection, item, now)
            case Opening():
                return self._open(connection, item, now)
            case Renewal():
                return self._renew(connection, item, now)
            case Claim():
                return self._claim(connection, item, now)

    def _open(self, connection: sqlite3.Connection, opening: Opening, now: int) -> int | None:
        firing = opening.firing or {}
        values = {
            **{name: firing.get(name) for name in FIRING_COLUMNS},
            **opening.execution,
            **(opening.idempotency or {}),
            "start_in_ms": opening.start_in_ms,
            "now": now,
        }
        if self._is_first(connection, opening, values) and self._one(connection, "open", values):
            connection.execute(self._sql["first_event"], values)
            return now
        row = self._one(connection, "stored", values)
        return None if row is None else int(row["created_at"])

    def _is_first(self, connection: sqlite3.Connection, opening: Opening, values: Columns) -> bool:
        """Take the opening's unique key; False if it is taken, be it by the opening itself."""
        if opening.idempotency is not None:
            return self._one(connection, "hold_key", values) is not None
        return opening.firing is None or self._one(connection, "fire", values) is not None

    def _claim(self, connection: sqlite3.Connection, claim: Claim, now: int) -> list[Claimed]:
        due = connection.execute(self._sql["due"], {"limit": claim.limit, "now": now}).fetchall()
        values = {"owner": claim.owner, "lease_ms": claim.lease_ms, "now": now}
        claimed = []
        for before in due:
            row = self._one(connection, "claim", {**values, "id": before["id"]})
            if row["last_seq"] > before["last_seq"]:
                told = {"id": row["id"], "seq": row["last_seq"], "now": now}
                told["from_status"] = before["status"]
                connection.execute(self._sql["claim_event"], told)
            asked = bool(row["is_cancel_requested"])
            extra = {"is_cancel_requested": asked, "waited_for": before["wait_reason"]}
            claimed.append(Claimed(**{**row, **extra}))
        return claimed

    def _renew(self, connection: sqlite3.Connection, beat: Renewal, now: int) -> Renewed | None:
        values = {"id": beat.id, "fence": beat.fence, "lease_ms": beat.lease_ms, "now": now}
        row = self._one(connection, "renew", values)
        if row is None:
            return None
        return Renewed(bool(row["is_cancel_requested"]), bool(row["is_pause_requested"]))

    def _record(
        self, connection: sqlite3.Connection, write: FencedWrite, now: int
    ) -> Recorded | None:
        values = {
            **write.columns,
            "id": write.id,
            "fence": write.fence,
            "expected_seq": write.expected_seq,
            "event_count": len(write.events),
            "now": now,
        }
        row = self._one(connection, "record", values)
        if row is None:
            row = self._one(connection, "recorded", values)
            return None if row is None else _recorded(row, row["now"])
        stamp = {"now": now}
        connection.executemany(self._sql["step"], [{**each, **stamp} for each in write.steps])
        connection.executemany(self._sql["attempt"], [{**each, **stamp} for each in write.attempts])
        numbered = [
            {**each, **stamp, "seq": write.expected_seq + each["number"]} for each in write.events
        ]
        connection.executemany(self._sql["event"], numbered)
        if write.dead_letter is not None:
            owner = {"workspace_id": row["workspace_id"], "workflow_id": row["workflow_id"]}
            letter = {**write.dead_letter, **owner, **stamp}
            connection.execute(self._sql["dead_letter"], letter)
        return _recorded(row, now)

    def _one(self, connection: sqlite3.Connection, name: str, values: dict[str, Any]) -> Any:
        """Run a statement that gives at most one row, to its end."""
        rows = connection.execute(self._sql[name], values).fetchall()
        return rows[0] if rows else None


def _recorded(row: sqlite3.Row, now: int) -> Recorded:
    asked = (bool(row["is_cancel_requested"]), bool(row["is_pause_requested"]))
    return Recorded(now, row["last_seq"], *asked)
