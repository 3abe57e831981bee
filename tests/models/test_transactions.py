"""A transaction is all or nothing, and belongs to the task that opened it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from tortoise.exceptions import IntegrityError, TransactionManagementError

from promptpilot.models import ExecutionEvent
from promptpilot.models.database import Database

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def _write(execution_id: str) -> None:
    await ExecutionEvent.create(execution_id=execution_id, seq=1, kind="TEST", at=_NOW)


async def _written() -> list[str]:
    return [event.execution_id for event in await ExecutionEvent.all().order_by("execution_id")]


async def _write_after(event: asyncio.Event, execution_id: str) -> None:
    await event.wait()
    await _write(execution_id)


class _Stop(Exception):
    """Raised by a test inside a transaction."""


def _do_nothing(transaction: Any) -> None:
    """Leave the transaction's connection as it is."""


def _break_connection(transaction: Any) -> None:
    """Close a PostgreSQL connection under a transaction's feet; SQLite has none to lose."""
    if hasattr(transaction._connection, "terminate"):
        transaction._connection.terminate()


async def _write_and_stop(
    database: Database, execution_id: str, before_the_end: Callable[[Any], None] = _do_nothing
) -> None:
    async with database.transaction() as transaction:
        await _write(execution_id)
        before_the_end(transaction)
        raise _Stop


async def _write_twice(database: Database, execution_id: str) -> None:
    async with database.transaction():
        await _write(execution_id)
        await _write(execution_id)


async def test_an_error_undoes_everything(database: Database) -> None:
    with pytest.raises(_Stop):
        await _write_and_stop(database, "a")

    assert await _written() == []


async def test_an_inner_transaction_can_be_undone_alone(database: Database) -> None:
    async with database.transaction():
        await _write("a")
        with pytest.raises(_Stop):
            await _write_and_stop(database, "b")
        await _write("c")

    assert await _written() == ["a", "c"]


async def test_after_a_broken_constraint_the_next_transaction_works(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await _write_twice(database, "a")

    async with database.transaction():
        await _write("b")

    assert await _written() == ["b"]


async def test_a_task_created_inside_a_transaction_cannot_write_into_another(
    database: Database,
) -> None:
    is_over = asyncio.Event()
    async with database.transaction():
        child = asyncio.ensure_future(_write_after(is_over, "child"))

    async with database.transaction():
        is_over.set()
        with pytest.raises(TransactionManagementError, match="created inside it"):
            await child
        await _write("parent")

    assert await _written() == ["parent"]


async def test_reads_elsewhere_neither_wait_for_a_transaction_nor_see_it(
    database: Database,
) -> None:
    elsewhere = contextvars.copy_context()
    async with database.transaction():
        await _write("a")
        reading = asyncio.get_running_loop().create_task(_written(), context=elsewhere)
        with anyio.fail_after(2):
            seen = await reading

    assert seen == []
    assert await _written() == ["a"]


async def test_the_first_error_is_told_when_the_connection_is_lost(database: Database) -> None:
    with pytest.raises(_Stop):
        await _write_and_stop(database, "a", _break_connection)

    assert await _written() == []


async def test_a_statement_says_how_many_rows_it_changed(database: Database) -> None:
    for name in ("a", "b", "c"):
        await _write(name)

    changed = await database.execute("UPDATE execution_events SET seq = $1", 7)

    assert changed == 3
    assert await database.execute("UPDATE execution_events SET seq = 1 WHERE seq = $1", 2) == 0


async def test_an_update_returns_its_rows_inside_and_outside_a_transaction(
    database: Database,
) -> None:
    await _write("a")
    bump = "UPDATE execution_events SET seq = seq + $1 RETURNING seq"

    outside = await database.fetch(bump, 1)
    async with database.transaction():
        inside = await database.fetch(bump, 1)

    assert (outside, inside) == ([{"seq": 2}], [{"seq": 3}])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_script_is_refused_inside_a_transaction_that_it_would_commit(
    database: Database,
) -> None:
    with pytest.raises(TransactionManagementError, match="would commit"):
        await _write_and_run_script(database, "a")

    assert await _written() == []


async def _write_and_run_script(database: Database, execution_id: str) -> None:
    async with database.transaction() as transaction:
        await _write(execution_id)
        await transaction.execute_script("SELECT 1; SELECT 2;")


async def test_an_inner_transaction_is_over_when_the_outer_one_is(database: Database) -> None:
    async with database.transaction(), database.transaction() as inner:
        await _write("a")

    with pytest.raises(TransactionManagementError):
        await ExecutionEvent.all().using_db(inner)
