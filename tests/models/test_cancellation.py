"""A task may be cancelled at any moment: no connection, lock or transaction stays behind."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from datetime import UTC, datetime

import anyio
import pytest

from promptpilot.models import ExecutionEvent
from promptpilot.models.database import Database, Dialect

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_CANCELLATIONS = 300
_STUCK = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""


def _event(execution_id: str, seq: int = 1) -> ExecutionEvent:
    return ExecutionEvent(execution_id=execution_id, seq=seq, kind="TEST", at=_NOW)


async def _cancel_at_many_moments(
    work: Callable[[int], Awaitable[None]], times: int, longest_seconds: float
) -> int:
    """Run the work often, each time cancelled a little later; return how often it was cut off."""
    cut_off = 0
    for number in range(times):
        task = asyncio.ensure_future(work(number))
        asyncio.get_running_loop().call_later(longest_seconds * number / times, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            cut_off += 1
    return cut_off


async def _assert_nothing_is_held(database: Database) -> None:
    """Fail unless as many transactions as the pool holds can be opened, at once."""
    with anyio.fail_after(5):
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(_open_and_close(database))
    if database.dialect is Dialect.POSTGRES:
        assert await database.fetch(_STUCK) == []
        return
    assert not database.write_lock.locked()
    with closing(sqlite3.connect(database.address.path, timeout=0)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")


async def _open_and_close(database: Database) -> None:
    async with database.transaction():
        await database.fetch("SELECT 1")


async def test_a_cancelled_transaction_leaves_nothing_behind(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.transaction():
            await _event(f"x{number}").save()
            await _event(f"x{number}", seq=2).save()

    cut_off = await _cancel_at_many_moments(write, _CANCELLATIONS, longest_seconds=0.006)

    assert cut_off > 0
    await _assert_nothing_is_held(database)
    halves = "SELECT 1 FROM execution_events GROUP BY execution_id HAVING count(*) <> 2"
    assert await database.fetch(halves) == []


async def test_a_cancelled_transaction_ends_at_once_with_many_of_them(database: Database) -> None:
    async def write(number: int) -> None:
        async with asyncio.TaskGroup() as group:
            for task in range(10):
                group.create_task(_write_one(database, f"y{number}-{task}"))

    cut_off = await _cancel_at_many_moments(write, 40, longest_seconds=0.02)

    assert cut_off > 0
    await _assert_nothing_is_held(database)


async def test_a_time_limit_inside_a_request_leaves_nothing_behind(database: Database) -> None:
    for number in range(50):
        with anyio.move_on_after(0.0001 * number):
            await _write_one(database, f"t{number}")

    await _assert_nothing_is_held(database)


async def _write_one(database: Database, execution_id: str) -> None:
    async with database.transaction():
        await _event(execution_id).save()


async def test_a_cancelled_bulk_insert_is_all_or_nothing(database: Database) -> None:
    async def insert(number: int) -> None:
        events = [_event(f"b{number}", seq) for seq in range(1, 2001)]
        await ExecutionEvent.bulk_create(events)

    cut_off = await _cancel_at_many_moments(insert, 20, longest_seconds=0.1)

    assert cut_off > 0
    await _assert_nothing_is_held(database)
    parts = "SELECT 1 FROM execution_events GROUP BY execution_id HAVING count(*) <> 2000"
    assert await database.fetch(parts) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_cancelling_the_wait_for_another_process_frees_the_turn(database: Database) -> None:
    with closing(sqlite3.connect(database.address.path, isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(_open_and_close(database))
        while not database.write_lock.locked():
            await anyio.lowlevel.checkpoint()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        other_process.execute("ROLLBACK")

    await _assert_nothing_is_held(database)
