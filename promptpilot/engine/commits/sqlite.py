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
from promptpilot.engine.commits.items import Item
from promptpilot.engine.commits.sqlite_group import Group
from promptpilot.models.database import Database, is_transient


class SqliteStore:
    """Holds the thread and, inside it, the connection."""

    def __init__(self, database: Database, clock: Clock, synchronous: str) -> None:
        self._database = database
        self._clock = clock
        self._synchronous = synchronous
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
            group = Group(connection, to_ms(self._clock.now()))
            results = [group.write(item) for item in items]
            group.insert_gathered()
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
