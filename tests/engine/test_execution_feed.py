"""Proves that a workspace's feed tells every change of status once, in order, from any point on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.clock import SystemClock
from promptpilot.engine import execution_feed as feeds
from promptpilot.engine.execution_feed import (
    REACH,
    ExecutionFeed,
    Place,
    StatusChange,
    Wanted,
    decode_cursor,
    encode_cursor,
)
from promptpilot.errors import CursorExpired
from promptpilot.models import ExecutionEvent
from promptpilot.models.database import Dialect
from tests.support.bench import Bench
from tests.support.drafts import transform
from tests.support.models import workflow

ALL = Wanted()
LIFE = ["PENDING", "RUNNING", "COMPLETED"]

on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


class Reader:
    """Reads the feed of the bench's workspace, from a point on."""

    def __init__(self, bench: Bench, wanted: Wanted = ALL) -> None:
        self.feed = ExecutionFeed(bench.database, bench.feed, bench.clock)
        self.workspace_id = bench.workspace_id
        self._wanted = wanted
        self._place = Place(0)

    async def start(self, after: str | None = None) -> Reader:
        """Go to a cursor, or to now."""
        self._place = await self.feed.start(self.workspace_id, after)
        return self

    async def read(self, count: int) -> list[StatusChange]:
        """Return the next changes, as soon as there are so many."""
        told: list[StatusChange] = []
        follow = self.feed.follow(self.workspace_id, self._place, self._wanted)
        async with asyncio.timeout(20), aclosing(follow) as changes:
            while len(told) < count:
                told.append(await anext(changes))
        return told


async def pending(bench: Bench) -> str:
    """Start an execution that nobody runs."""
    return await bench.launch(workflow(transform("a")))


async def all_changes(bench: Bench) -> set[tuple[str, int]]:
    """Return every change of status that is stored."""
    rows = await ExecutionEvent.filter(kind="EXECUTION_STATUS_CHANGED")
    return {(row.execution_id, row.seq) for row in rows}


async def test_a_life_is_told_in_order(bench: Bench) -> None:
    reader = await Reader(bench).start()
    execution_id = await pending(bench)
    await bench.finish(execution_id)

    told = await reader.read(3)

    assert [each.to_status for each in told] == LIFE
    assert [each.from_status for each in told] == [None, *LIFE[:2]]
    assert {each.execution_id for each in told} == {execution_id}


async def test_changes_are_told_while_they_happen(bench: Bench) -> None:
    reader = await Reader(bench).start()
    reading = asyncio.create_task(reader.read(2))
    execution_id = await pending(bench)

    await bench.control.cancel(bench.workspace_id, execution_id, None)
    bench.feed.ring(execution_id, bench.workspace_id)

    assert [each.to_status for each in await reading] == ["PENDING", "CANCELLED"]
    assert len(bench.feed) == 0


async def test_a_bell_that_is_not_heard_costs_a_second_at_most(bench: Bench) -> None:
    reader = await Reader(bench).start()
    reading = asyncio.create_task(reader.read(1))
    await asyncio.wait([reading], timeout=0.3)

    execution_id = await pending(bench)
    async with asyncio.timeout(2):
        (told,) = await reading

    assert told.execution_id == execution_id


async def test_without_a_cursor_nothing_that_was_before_is_told(bench: Bench) -> None:
    await bench.finish(await pending(bench))
    reader = await Reader(bench).start()

    later = await pending(bench)

    assert [each.execution_id for each in await reader.read(1)] == [later]


async def test_every_cursor_is_one_to_go_on_from(bench: Bench) -> None:
    begun = await Reader(bench).start()
    for _ in range(3):
        await bench.finish(await pending(bench))
    whole = await begun.read(9)

    for number, change in enumerate(whole[:-1], start=1):
        resumed = await Reader(bench).start(change.cursor)
        assert await resumed.read(9 - number) == whole[number:]


async def test_what_many_write_at_once_is_told_once_and_in_order(bench: Bench) -> None:
    reader = await Reader(bench).start()

    reading = asyncio.create_task(reader.read(5 * 8 * 4))

    await asyncio.gather(*(_write(bench, 8) for _ in range(5)))

    told = [(each.execution_id, each.seq) for each in await reading]
    assert set(told) == await all_changes(bench)
    assert sorted(told, key=lambda each: each[0]) == sorted(told)  # sorting keeps equals' order


async def _write(bench: Bench, count: int) -> None:
    for _ in range(count):
        execution_id = await pending(bench)
        await bench.control.pause(bench.workspace_id, execution_id)
        await bench.control.resume(bench.workspace_id, execution_id)
        await bench.control.cancel(bench.workspace_id, execution_id, None)


@on_postgres
async def test_a_transaction_that_began_earlier_and_commits_later_is_not_passed_over(
    bench: Bench,
) -> None:
    reader = await Reader(bench).start()
    began, may_commit = asyncio.Event(), asyncio.Event()
    late = await pending(bench)
    writing = asyncio.create_task(_pause_slowly(bench, late, began, may_commit))
    await began.wait()
    early = await pending(bench)
    reading = asyncio.create_task(reader.read(3))
    await asyncio.wait([reading], timeout=0.4)
    assert not reading.done()

    may_commit.set()
    told = [(each.execution_id, each.seq) for each in await reading]
    await writing

    assert told == [(late, 1), (late, 2), (early, 1)]


async def _pause_slowly(
    bench: Bench, execution_id: str, began: asyncio.Event, may_commit: asyncio.Event
) -> None:
    """Pause in a transaction that stays open for a while."""
    async with bench.database.transaction():
        await bench.control.pause(bench.workspace_id, execution_id)
        began.set()
        await may_commit.wait()


@on_postgres
async def test_an_execution_is_told_in_order_whichever_of_its_writers_began_first(
    bench: Bench,
) -> None:
    reader = await Reader(bench).start()
    began, may_write, ids = asyncio.Event(), asyncio.Event(), list[str]()
    writing = asyncio.create_task(_pause_after(bench, ids, began, may_write))
    await began.wait()

    ids.append(await pending(bench))
    may_write.set()
    await writing

    assert [each.seq for each in await reader.read(2)] == [1, 2]


async def _pause_after(
    bench: Bench, ids: list[str], began: asyncio.Event, may_write: asyncio.Event
) -> None:
    """Begin to write before an execution is there, and pause it then."""
    async with bench.database.transaction():
        await bench.database.fetch("SELECT pg_current_xact_id()::text")
        began.set()
        await may_write.wait()
        await bench.control.pause(bench.workspace_id, ids[0])


@on_postgres
async def test_a_long_transaction_of_somebody_else_delays_and_loses_nothing(bench: Bench) -> None:
    stranger = await asyncpg.connect(bench.database.url)
    reader = await Reader(bench).start()
    async with stranger.transaction():
        await stranger.fetch("SELECT pg_current_xact_id()")
        execution_id = await pending(bench)
        reading = asyncio.create_task(reader.read(1))
        await asyncio.wait([reading], timeout=0.3)
        assert not reading.done()

    assert [each.execution_id for each in await reading] == [execution_id]
    await stranger.close()


async def test_an_execution_of_before_the_feed_enters_it_with_its_next_change(
    bench: Bench,
) -> None:
    execution_id = await pending(bench)
    await bench.database.execute("DELETE FROM execution_feed")
    await bench.database.execute("UPDATE executions SET feed_position = NULL")
    reader = await Reader(bench).start()

    await bench.finish(execution_id)

    assert [each.to_status for each in await reader.read(2)] == LIFE[1:]


async def test_only_what_is_wanted_is_told(bench: Bench) -> None:
    ended = Wanted(statuses=frozenset({"COMPLETED"}))
    every = await Reader(bench).start()
    reader, nobody = await Reader(bench, ended).start(), Wanted(frozenset({"wf_none"}))
    for _ in range(2):
        await bench.finish(await pending(bench))
    changes = await every.read(6)
    own = Wanted(frozenset({changes[-1].workflow_id}))

    assert await reader.read(2) == [changes[2], changes[5]]
    assert [own.has(each) for each in changes] == [False] * 3 + [True] * 3
    assert not any(nobody.has(each) for each in changes)


async def test_another_workspace_is_told_nothing_and_cannot_use_the_cursor(bench: Bench) -> None:
    reader, stranger = await Reader(bench).start(), Reader(bench)
    stranger.workspace_id = "ws_stranger"
    await stranger.start()
    await pending(bench)
    (change,) = await reader.read(1)

    reading = asyncio.create_task(stranger.read(1))
    await asyncio.wait([reading], timeout=0.2)

    assert not reading.done()
    reading.cancel()
    with pytest.raises(CursorExpired):
        await stranger.start(change.cursor)


async def test_a_cursor_is_good_for_24_hours(bench: Bench) -> None:
    reader = await Reader(bench).start()
    await pending(bench)
    (change,) = await reader.read(1)

    bench.clock.at = change.at + REACH
    await reader.start(change.cursor)
    bench.clock.move(seconds=0.001)

    with pytest.raises(CursorExpired) as refusal:
        await reader.start(change.cursor)
    assert refusal.value.path == ("after",)


async def test_a_cursor_of_a_database_that_is_gone_has_expired(bench: Bench) -> None:
    future = encode_cursor(bench.workspace_id, Place(10**12, "ex_1", 1), bench.clock.now())

    with pytest.raises(CursorExpired):
        await Reader(bench).start(future)


async def test_what_does_not_fit_into_a_page_comes_with_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "PAGE_SIZE", 2)
    reader = await Reader(bench).start()
    for _ in range(9):
        await pending(bench)

    assert len(await reader.read(9)) == 9


async def test_a_page_searches_the_index_of_its_workspace(bench: Bench) -> None:
    feed = ExecutionFeed(bench.database, bench.feed, bench.clock)
    how, index = "EXPLAIN QUERY PLAN", "execution_feed_by_workspace (workspace_id=? AND (position"
    async with bench.database.transaction():
        if bench.database.dialect is Dialect.POSTGRES:
            await bench.database.execute("SET LOCAL enable_seqscan = off")
            how, index = "EXPLAIN", "execution_feed_pkey"
        plan = repr(await bench.database.fetch(f"{how} {feed._page}", "ws_1", 7, "ex_1", 1))

    assert index in plan


places = st.builds(Place, st.integers(0, 10**14), st.just("ex_1"), st.integers(1, 10**9))


@given(places, st.integers(0, 10**13))
def test_a_cursor_is_read_back(place: Place, age_ms: int) -> None:
    at = SystemClock().now().replace(microsecond=0) - timedelta(milliseconds=age_ms % 10**9)

    assert decode_cursor("ws_1", encode_cursor("ws_1", place, at)) == (place, at)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_any_other_text_is_an_unknown_cursor(text: str) -> None:
    with pytest.raises(CursorExpired):
        decode_cursor("ws_1", text)
