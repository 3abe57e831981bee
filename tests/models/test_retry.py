"""Work that was cut off is done again, for a limited time; an error of its own is told at once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from tortoise.exceptions import OperationalError

from promptpilot.errors import Misconfigured, Unavailable
from promptpilot.models import ExecutionEvent
from promptpilot.models.database import Database, connect, is_transient
from promptpilot.models.migrate import migrate, pending
from tests.support.postgres import PostgresServer

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Work:
    """Fails with each of some errors in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.fixture
async def sqlite(sqlite_template: Path) -> AsyncIterator[Database]:
    """Give an open database for tests that never write to it."""
    database = await connect(f"sqlite://{sqlite_template}")
    yield database
    await database.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server that the test may stop and kill."""
    server = PostgresServer.create()
    yield server
    server.remove()


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DeadlockDetectedError("deadlock detected"),
        asyncpg.SerializationError("could not serialize access"),
        asyncpg.ConnectionDoesNotExistError("connection was closed"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 12"),
        ConnectionRefusedError("refused"),
        TimeoutError(),
        OperationalError("database is locked"),
        sqlite3.OperationalError("database table is locked"),
    ],
    ids=repr,
)
async def test_work_that_was_cut_off_is_done_again(sqlite: Database, error: Exception) -> None:
    work = _Work(error)

    assert await sqlite.retry(work) == "done"
    assert work.calls == 2


@pytest.mark.parametrize(
    "error",
    [
        ValueError("wrong"),
        OperationalError("no such table: x"),
        asyncpg.UniqueViolationError("duplicate key"),
        asyncpg.DataError("invalid input for query argument $1"),
    ],
    ids=repr,
)
async def test_an_error_of_the_work_is_told_at_once(sqlite: Database, error: Exception) -> None:
    work = _Work(error)

    with pytest.raises(type(error)):
        await sqlite.retry(work)

    assert work.calls == 1


async def test_after_its_time_the_database_is_unavailable(sqlite: Database) -> None:
    work = _Work(*(OperationalError("database is locked") for _ in range(100)))

    with pytest.raises(Unavailable):
        await sqlite.retry(work, for_seconds=0.2)

    assert 2 <= work.calls <= 5


async def test_a_full_disk_is_not_waited_for(sqlite: Database) -> None:
    work = _Work(OperationalError("database or disk is full"))

    with pytest.raises(Unavailable):
        await sqlite.retry(work)

    assert work.calls == 1


async def test_inside_a_transaction_nothing_is_done_twice(sqlite: Database) -> None:
    work = _Work(OperationalError("database is locked"))

    async with sqlite.transaction():
        with pytest.raises(OperationalError):
            await sqlite.retry(work)

    assert work.calls == 1


async def test_work_survives_a_kill_of_the_server(own_postgres: PostgresServer) -> None:
    await migrate(own_postgres.url())
    database = await connect(own_postgres.url())
    try:
        own_postgres.kill()
        writing = asyncio.ensure_future(database.retry(lambda: _write(database)))
        own_postgres.start()
        await writing
        assert await ExecutionEvent.all().count() == 1
    finally:
        await database.close()


async def _write(database: Database) -> None:
    async with database.transaction():
        await ExecutionEvent.create(execution_id="x", seq=1, kind="TEST", at=_NOW)


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    url = f"postgresql://postgres@/app?host={tmp_path}"

    with pytest.raises(Unavailable):
        await connect(url)
    with pytest.raises(Unavailable):
        await migrate(url)
    with pytest.raises(Unavailable):
        await pending(url)


async def test_a_missing_folder_is_a_wrong_setting(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/missing/a.db"

    with pytest.raises(Misconfigured, match="does not exist"):
        await migrate(url)
    with pytest.raises(Unavailable):
        await connect(url)


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("not a database " * 100)

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        await connect(f"sqlite://{tmp_path}/a.db")


async def test_one_database_can_be_opened_after_another(tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        database = await connect(f"sqlite://{tmp_path / name}", synchronous="FULL")
        await database.close()
        await database.close()

    with closing(sqlite3.connect(tmp_path / "b.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_an_unknown_synchronous_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="SQLITE_SYNCHRONOUS"):
        await connect(f"sqlite://{tmp_path / 'a.db'}", synchronous="OFF")


def test_a_cancellation_is_never_transient() -> None:
    assert not is_transient(asyncio.CancelledError())
