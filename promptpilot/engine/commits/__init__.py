"""Gathers the ledger's writes of many executions into one transaction.

Nobody but the ledger, the launcher, the repeats and the runner writes through it.
"""

from __future__ import annotations

from promptpilot.clock import Clock, SystemClock
from promptpilot.engine.commits.group import Committer, Store
from promptpilot.engine.commits.postgres import PostgresStore
from promptpilot.engine.commits.sqlite import SqliteStore
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database

__all__ = ["Committer", "open_committer"]


async def open_committer(
    database: Database, *, clock: Clock | None = None, synchronous: str = "NORMAL"
) -> Committer:
    """Return a running committer on `database`; close it before the database.

    Instants come from the database's own clock, unless a `clock` is given (tests move one).
    `synchronous` is SQLite's: FULL also survives a power cut.
    """
    store: Store
    if database.dialect is Dialect.SQLITE:
        store = SqliteStore(database, clock or SystemClock(), synchronous)
    else:
        store = PostgresStore(database, clock)
    return Committer(store)
