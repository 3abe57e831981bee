"""Proves how the SQLite store shares its file with the process and with others."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.commits import open_committer
from promptpilot.engine.commits.sqlite import SqliteStore
from promptpilot.models.database import Database
from tests.support import database as databases
from tests.support.ledgers import count, opening


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Give a database of this dialect alone."""
    return databases.copy_sqlite(sqlite_template, tmp_path)


async def test_a_transaction_of_the_process_and_a_commit_take_turns(database: Database) -> None:
    committer = await open_committer(database)
    async with database.transaction():
        storing = asyncio.ensure_future(committer.open(opening()))
        await database.execute("UPDATE executions SET priority = 1")
        assert not storing.done()

    assert await storing is not None
    await committer.close()


async def test_a_cancelled_commit_gives_the_lock_back(database: Database) -> None:
    store = SqliteStore(database, SystemClock(), "NORMAL")
    committing = asyncio.create_task(store.commit([opening()]))
    await asyncio.sleep(0)
    assert database.write_lock.locked()
    committing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await committing

    assert not database.write_lock.locked()
    await store.close()
    assert await count(database, "executions") == 1


async def test_another_process_that_writes_is_waited_for(database: Database) -> None:
    committer = await open_committer(database)
    other = sqlite3.connect(database.address.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    storing = asyncio.ensure_future(committer.open(opening()))
    await asyncio.wait([storing], timeout=0.05)
    assert not storing.done()
    other.execute("COMMIT")

    assert await storing is not None
    await committer.close()
    other.close()


@pytest.mark.parametrize(("wanted", "stored"), [("NORMAL", 1), ("FULL", 2)])
async def test_commits_are_as_durable_as_told(database: Database, wanted: str, stored: int) -> None:
    store = SqliteStore(database, SystemClock(), wanted)

    assert store._opened().execute("PRAGMA synchronous").fetchone()[0] == stored

    store._close()
    await store.close()


async def test_a_file_in_use_may_be_tried_again_and_a_broken_rule_not(
    database: Database,
) -> None:
    store = SqliteStore(database, SystemClock(), "NORMAL")

    assert store.is_transient(sqlite3.OperationalError("database is locked"))
    assert not store.is_transient(sqlite3.IntegrityError("UNIQUE constraint failed"))
    await store.close()


async def test_the_database_outlives_its_committer(database: Database) -> None:
    committer = await open_committer(database)
    await committer.open(opening())
    await committer.close()
    await committer.close()

    assert await count(database, "executions") == 1
