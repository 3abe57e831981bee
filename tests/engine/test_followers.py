"""Proves that many followers of one process cost few reads, and miss nothing for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from promptpilot.engine.execution_feed import ExecutionFeed, Place, Wanted
from promptpilot.engine.feed import EventReads, follow
from tests.schema.counting import counted
from tests.support.bench import Bench
from tests.support.drafts import transform
from tests.support.models import workflow
from tests.support.waiting import pass_time

MANY = 200
#: Some followers may be late for a read; unshared, there would be one for each of them.
FEW = 20


class Crowd:
    """Many who follow on the reads of one process; each counts what it was told."""

    def __init__(self, bench: Bench) -> None:
        self.told = [0] * MANY
        self._bench = bench
        self._reads = EventReads()
        self._feed = ExecutionFeed(bench.database, bench.feed, bench.clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._goal = 0
        self._is_reached = asyncio.Event()

    def follow(self, *execution_ids: str, after: int = 1) -> None:
        """Follow these executions in turn."""
        for number in range(MANY):
            execution_id = execution_ids[number % len(execution_ids)]
            pages = follow(execution_id, after, self._bench.feed, self._reads)
            self._begin(number, pages)

    def follow_workspace(self) -> None:
        """Follow all executions, each from a place of its own that is before all of them."""
        for number in range(MANY):
            changes = self._feed.follow(self._bench.workspace_id, Place(-number), Wanted())
            self._begin(number, changes)

    async def reach(self, count: int) -> None:
        """Return once everybody was told so often."""
        self._goal = count
        self._is_reached.clear()
        self._look()
        async with asyncio.timeout(20):
            await self._is_reached.wait()

    async def leave(self) -> None:
        """Follow no more. Fails if a follower failed."""
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        assert {type(end) for end in ends} <= {asyncio.CancelledError, type(None)}

    def _begin(self, number: int, items: AsyncGenerator[object, None]) -> None:
        self._tasks.append(asyncio.create_task(self._count(number, items)))

    async def _count(self, number: int, items: AsyncGenerator[object, None]) -> None:
        async with aclosing(items):
            async for _ in items:
                self.told[number] += 1
                self._look()

    def _look(self) -> None:
        if min(self.told) >= self._goal:
            self._is_reached.set()


async def pending(bench: Bench) -> str:
    """Start an execution that nobody runs."""
    return await bench.launch(workflow(transform("a")))


def fetched(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that every statement of a feed is added to from now on."""
    statements: list[str] = []
    fetch = bench.database.fetch

    async def note(sql: str, *values: Any) -> list[dict[str, Any]]:
        statements.append(sql)
        return await fetch(sql, *values)

    monkeypatch.setattr(bench.database, "fetch", note)
    return statements


async def looked_at_rest(bench: Bench) -> int:
    """Return how many statements were made while every follower looked twice."""
    with counted(bench.database) as statements:
        await pass_time(2)
    return len(statements)


async def cancel(bench: Bench, execution_id: str) -> None:
    """Write the next event of an execution, and ring."""
    await bench.control.cancel(bench.workspace_id, execution_id, None)
    bench.feed.ring(execution_id, bench.workspace_id)


async def test_a_ring_costs_the_followers_of_an_execution_few_reads(bench: Bench) -> None:
    crowd, execution_id = Crowd(bench), await pending(bench)
    crowd.follow(execution_id)
    await pass_time(1)
    await cancel(bench, execution_id)

    with counted(bench.database) as statements:
        await crowd.reach(1)

    assert 1 <= len(statements) <= FEW
    await crowd.leave()
    assert crowd.told == [1] * MANY


async def test_followers_of_many_executions_look_together_whether_there_is_news(
    bench: Bench,
) -> None:
    crowd, execution_ids = Crowd(bench), [await pending(bench) for _ in range(40)]
    crowd.follow(*execution_ids)

    counts = [await looked_at_rest(bench) for _ in range(5)]

    assert any(2 <= count <= 2 * FEW for count in counts)  # the first ones have to find their place
    await crowd.leave()


async def test_followers_of_many_executions_are_told_without_a_ring(bench: Bench) -> None:
    crowd, execution_ids = Crowd(bench), [await pending(bench) for _ in range(8)]
    crowd.follow(*execution_ids)
    await pass_time(0.2)
    for execution_id in execution_ids:
        await bench.control.cancel(bench.workspace_id, execution_id, None)

    async with asyncio.timeout(3):
        await crowd.reach(1)

    await crowd.leave()
    assert crowd.told == [1] * MANY


async def test_a_ring_costs_the_readers_of_a_workspace_few_reads(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(bench)
    execution_id = await pending(bench)
    crowd.follow_workspace()
    await crowd.reach(1)
    await cancel(bench, execution_id)

    statements = fetched(bench, monkeypatch)
    await crowd.reach(2)

    assert 1 <= len(statements) <= FEW
    await crowd.leave()


async def test_readers_of_a_workspace_who_wait_for_its_first_change_read_together(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(bench)
    crowd.follow_workspace()
    statements = fetched(bench, monkeypatch)

    await pass_time(2)

    assert 2 <= len(statements) <= 2 * FEW
    await crowd.leave()
    assert crowd.told == [0] * MANY


async def test_a_feed_that_is_read_lets_others_write(bench: Bench) -> None:
    crowd = Crowd(bench)
    crowd.follow_workspace()
    execution_ids = [await pending(bench) for _ in range(5)]

    async with asyncio.timeout(10):
        for execution_id in execution_ids:
            await cancel(bench, execution_id)
        await crowd.reach(10)

    await crowd.leave()
    assert crowd.told == [10] * MANY
