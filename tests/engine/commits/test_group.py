"""Proves how writes are grouped, retried, split and drained, over a store that a test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from promptpilot.engine.commits import group
from promptpilot.engine.commits.group import Committer
from promptpilot.engine.commits.items import Claim, FencedWrite, Item, Opening
from promptpilot.errors import Unavailable
from tests.support.ledgers import keyed_opening, opening


class ScriptedStore:
    """Remembers the groups it was given; `refuses` says which of them fail, and how."""

    def __init__(self) -> None:
        self.groups: list[list[Item]] = []
        self.refuses: Callable[[Sequence[Item]], Exception | None] = lambda items: None
        self.closed = 0
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def commit(self, items: Sequence[Item]) -> list[Any]:
        """Answer with the number of the group."""
        await self.is_open.wait()
        self.groups.append(list(items))
        if (error := self.refuses(items)) is not None:
            raise error
        return [len(self.groups)] * len(items)

    def is_transient(self, error: Exception) -> bool:
        """Lost connections may come back."""
        return isinstance(error, ConnectionError)

    async def close(self) -> None:
        """Count."""
        self.closed += 1


@pytest.fixture
def store() -> ScriptedStore:
    """Give the store."""
    return ScriptedStore()


@pytest.fixture
async def grouping(store: ScriptedStore) -> AsyncIterator[Committer]:
    """Give a committer on the store."""
    opened = Committer(store)
    yield opened
    store.is_open.set()
    await opened.close()


def write(id: str, fence: int = 1) -> FencedWrite:
    """Make a write of an execution."""
    return FencedWrite(id, fence, 1, {})


async def test_a_write_goes_out_at_once(grouping: Committer, store: ScriptedStore) -> None:
    await grouping.open(opening())
    await grouping.open(opening())

    assert [len(each) for each in store.groups] == [1, 1]


async def test_what_arrives_during_a_commit_goes_out_together(
    grouping: Committer, store: ScriptedStore
) -> None:
    store.is_open.clear()
    first = asyncio.ensure_future(grouping.open(opening()))
    for _ in range(5):
        await asyncio.sleep(0)
    rest = [asyncio.ensure_future(grouping.open(opening())) for _ in range(7)]
    await asyncio.sleep(0)
    store.is_open.set()
    await asyncio.gather(first, *rest)

    assert [len(each) for each in store.groups] == [1, 7]


async def test_a_group_is_bounded_in_items(
    grouping: Committer, store: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "_MAX_ITEMS", 3)

    await asyncio.gather(*[grouping.open(opening()) for _ in range(8)])

    assert [len(each) for each in store.groups] == [3, 3, 2]


async def test_a_group_is_bounded_in_bytes(grouping: Committer, store: ScriptedStore) -> None:
    large = [opening(input="x" * 400_000) for _ in range(4)]

    await asyncio.gather(*map(grouping.open, large))

    assert [len(each) for each in store.groups] == [3, 1]


async def test_a_unique_key_is_in_a_group_once(grouping: Committer, store: ScriptedStore) -> None:
    asked: list[Opening] = [keyed_opening("a"), keyed_opening("a"), keyed_opening("b")]

    await asyncio.gather(*map(grouping.open, asked))

    assert [[each.id for each in ids if isinstance(each, Opening)] for ids in store.groups] == [
        [asked[0].id, asked[2].id],
        [asked[1].id],
    ]


async def test_an_execution_is_in_a_group_once(grouping: Committer, store: ScriptedStore) -> None:
    writes = [write("a"), write("b"), write("a", 2), write("a", 3)]

    await asyncio.gather(*[grouping.record(each) for each in writes])

    assert store.groups == [[writes[0], writes[1]], [writes[2]], [writes[3]]]


async def test_a_bad_item_fails_alone(grouping: Committer, store: ScriptedStore) -> None:
    bad = write("bad")
    store.refuses = lambda items: ValueError("no") if bad in items else None
    items = [write("a"), bad, write("b")]

    answers = await asyncio.gather(*map(grouping.record, items), return_exceptions=True)

    assert [isinstance(answer, ValueError) for answer in answers] == [False, True, False]
    assert [len(each) for each in store.groups] == [3, 1, 1, 1]


async def test_a_lost_connection_is_tried_again(grouping: Committer, store: ScriptedStore) -> None:
    store.refuses = lambda items: ConnectionError() if len(store.groups) < 3 else None

    answers = await asyncio.gather(*[grouping.open(opening()) for _ in range(2)])

    assert answers == [3, 3]


async def test_a_database_that_stays_away_is_unavailable_for_the_whole_group(
    grouping: Committer, store: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "_GIVE_UP_SECONDS", 0.01)
    store.refuses = lambda items: ConnectionError()

    answers = await asyncio.gather(
        *[grouping.open(opening()) for _ in range(3)], return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert {len(each) for each in store.groups} == {3}


async def test_an_outage_ends_for_those_who_come_later(
    grouping: Committer, store: ScriptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "_GIVE_UP_SECONDS", 0.0)
    store.refuses = lambda items: ConnectionError()
    with pytest.raises(Unavailable):
        await grouping.open(opening())

    store.refuses = lambda items: None

    assert await grouping.open(opening()) is not None


@pytest.mark.parametrize("error", [None, ValueError("no")], ids=["stored", "refused"])
async def test_who_stopped_waiting_disturbs_nobody(
    grouping: Committer, store: ScriptedStore, error: Exception | None
) -> None:
    store.is_open.clear()
    store.refuses = lambda items: error
    gone, stays = grouping.record(write("a")), grouping.record(write("b"))
    await asyncio.sleep(0)
    gone.cancel()
    store.is_open.set()

    answers = await asyncio.gather(stays, return_exceptions=True)

    assert isinstance(answers[0], ValueError) == (error is not None)


async def test_closing_commits_what_is_queued(store: ScriptedStore) -> None:
    committer = Committer(store)
    queued = [committer.record(write(f"{n}")) for n in range(600)]

    await committer.close()

    assert all(each.done() and each.result() is not None for each in queued)
    assert (sum(map(len, store.groups)), store.closed) == (600, 1)


async def test_closing_twice_closes_the_store_once(store: ScriptedStore) -> None:
    committer = Committer(store)

    await asyncio.gather(committer.close(), committer.close())
    await committer.close()

    assert store.closed == 1


async def test_after_closing_nothing_is_taken(store: ScriptedStore) -> None:
    committer = Committer(store)
    await committer.close()

    with pytest.raises(Unavailable):
        await committer.claim("w1", 1, 1)

    assert store.groups == []


def test_items_tell_about_how_much_they_store() -> None:
    result = FencedWrite("a", 1, 1, {"output": "12"}, steps=({"output": "345"}, {"output": None}))

    assert (result.size, Claim("w1", 1, 1).size, opening(input="{}").size) == (5, 0, 2)
