"""Proves that whoever follows an execution sees every event once, in order, to the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine import feed as feeds
from promptpilot.engine.feed import decode_cursor, encode_cursor, follow
from promptpilot.engine.ports import Feed, Listener
from promptpilot.errors import InvalidInput
from promptpilot.models import ExecutionEvent
from tests.support.bench import Bench, told
from tests.support.drafts import transform
from tests.support.models import ScriptedModel, asking, workflow

MANY = workflow(*[transform(f"s{n}") for n in range(12)])


class DeafFeed:
    """A bell that nobody ever hears; it counts how often somebody waited."""

    def __init__(self) -> None:
        self.waits = 0

    def ring(self, execution_id: str, workspace_id: str | None = None) -> None:
        """Ring unheard."""

    @asynccontextmanager
    async def listen(self, execution_id: str) -> AsyncIterator[Listener]:
        """Listen in vain."""
        yield self

    async def wait(self, seconds: float) -> bool:
        """Return as if the longest wait were over."""
        self.waits += 1
        assert seconds <= 1
        await asyncio.sleep(0)
        return True

    def nudge(self) -> None:
        """Nudge nobody."""


async def collect(execution_id: str, feed: Feed, after: int = 0) -> list[str]:
    """Follow to the end; fail unless the numbers go on without gap."""
    found: list[ExecutionEvent] = []
    async with asyncio.timeout(20):
        async for page in follow(execution_id, after, feed):
            found += page
    assert [each.seq for each in found] == list(range(after + 1, after + 1 + len(found)))
    return [told(each) for each in found]


@pytest.mark.parametrize("kind", ["heard", "deaf"])
async def test_events_are_followed_while_they_are_written(bench: Bench, kind: str) -> None:
    bell: Feed = bench.feed if kind == "heard" else DeafFeed()
    execution_id = await bench.launch(MANY)
    following = asyncio.create_task(collect(execution_id, bell))

    await bench.finish(execution_id)

    assert await following == await bench.story(execution_id)


async def test_every_point_is_one_to_go_on_from(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(transform("a"), transform("b")))
    await bench.finish(execution_id)
    story = await bench.story(execution_id)

    for after in range(len(story) + 1):
        assert await collect(execution_id, bench.feed, after) == story[after:]


async def test_a_point_beyond_the_end_of_what_has_ended_is_the_end(bench: Bench) -> None:
    execution_id = await bench.launch(workflow())
    await bench.finish(execution_id)

    assert await collect(execution_id, bench.feed, 1000) == []


async def test_many_followers_see_the_same(bench: Bench) -> None:
    execution_id = await bench.launch(MANY)
    following = [asyncio.create_task(collect(execution_id, bench.feed)) for _ in range(5)]

    await bench.finish(execution_id)

    assert await asyncio.gather(*following) == [await bench.story(execution_id)] * 5


async def test_pages_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "PAGE_SIZE", 4)
    execution_id = await bench.launch(MANY)
    await bench.finish(execution_id)
    deaf = DeafFeed()

    sizes = [len(page) async for page in follow(execution_id, 0, deaf)]

    assert sum(sizes) == len(await bench.story(execution_id))
    assert max(sizes) == 4
    assert deaf.waits == 0


async def test_nobody_listens_after_the_end(bench: Bench) -> None:
    execution_id = await bench.launch(workflow())
    await bench.finish(execution_id)

    await collect(execution_id, bench.feed)

    assert len(bench.feed) == 0


async def test_an_execution_that_waits_keeps_its_followers_waiting(bench: Bench) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(gate)
    execution_id = await bench.launch(workflow(asking()))
    async with bench.running(bench.runner(bench.tools_with(providers=model.providers))):
        await model.wait_for_call()
        following = asyncio.create_task(collect(execution_id, bench.feed, 3))
        await asyncio.wait([following], timeout=0.05)
        assert not following.done()
        gate.set()

        assert await following == ["0#1 COMPLETED", "COMPLETED"]


@given(st.integers(0, 2**53 - 1))
def test_a_cursor_is_read_back(seq: int) -> None:
    assert decode_cursor("ex_1", encode_cursor("ex_1", seq)) == seq


@given(st.text(max_size=40))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode_cursor("ex_1", text)

    assert refusal.value.path == ("after",)


@pytest.mark.parametrize(
    "text",
    [
        encode_cursor("ex_2", 1),
        encode_cursor("ex_1", -1),
        encode_cursor("ex_1", 2**53),
        encode_cursor("ex_1", 1) + "!",
    ],
)
def test_a_cursor_belongs_to_one_execution(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor("ex_1", text)
