"""The two bells keep their promises, whether they ring in one process or over Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from promptpilot.bells import DOOR_CHANNEL, FEED_CHANNEL, open_bells
from promptpilot.engine.ports import Feed
from promptpilot.local_bells import LocalFeed
from tests.support.fakes import FakeFeed
from tests.support.redis import RedisServer

_ID = "ex_00000000000000000000000000"
_OTHER = "ex_11111111111111111111111111"
_LONG = 20.0  # seconds; nobody waits that long when the bell works


@asynccontextmanager
async def _over_redis(url: str) -> AsyncIterator[tuple[Feed, Feed]]:
    """Give the feeds of two processes, both connected."""
    async with open_bells(url) as here, open_bells(url, [DOOR_CHANNEL, FEED_CHANNEL]) as there:
        async with there.listen("") as ear:
            await ear.wait(_LONG)  # everybody is rung when the subscription stands
        yield here, there


@pytest.fixture(params=["local", "fake", "redis, same process", "redis, two processes"])
async def feeds(
    request: pytest.FixtureRequest, redis_server: RedisServer
) -> AsyncIterator[tuple[Feed, Feed]]:
    """Give a feed to ring at and the feed to listen at."""
    if request.param in {"local", "fake"}:
        feed = LocalFeed() if request.param == "local" else FakeFeed()
        yield feed, feed
        return
    async with _over_redis(redis_server.url) as (here, there):
        yield (here if request.param.endswith("two processes") else there), there


async def test_a_ring_ends_a_wait(feeds: tuple[Feed, Feed]) -> None:
    here, there = feeds

    async with there.listen(_ID) as ear:
        here.ring(_ID)
        async with asyncio.timeout(5):
            await ear.wait(_LONG)


async def test_a_ring_before_the_wait_is_not_lost(feeds: tuple[Feed, Feed]) -> None:
    here, there = feeds

    async with there.listen(_ID) as ear, there.listen(_ID) as witness:
        here.ring(_ID)
        async with asyncio.timeout(5):
            await witness.wait(_LONG)
            await ear.wait(_LONG)


async def test_rings_for_others_do_not_end_a_wait(feeds: tuple[Feed, Feed]) -> None:
    here, there = feeds

    async with there.listen(_ID) as ear, there.listen(_OTHER) as other:
        here.ring(_OTHER)
        await other.wait(_LONG)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ear.wait(_LONG), 0.05)


async def test_a_wait_without_a_ring_ends_in_time(feeds: tuple[Feed, Feed]) -> None:
    _, there = feeds

    async with there.listen(_ID) as ear, asyncio.timeout(5):
        await ear.wait(0.01)


async def test_rings_close_together_may_be_one(feeds: tuple[Feed, Feed]) -> None:
    here, there = feeds

    async with there.listen(_ID) as ear:
        for _ in range(1000):
            here.ring(_ID)
        async with asyncio.timeout(5):
            await ear.wait(_LONG)


async def test_many_executions_may_ring_at_once(feeds: tuple[Feed, Feed]) -> None:
    here, there = feeds
    last = f"{_ID}-999"

    async with there.listen(last) as ear:
        for number in range(1000):
            here.ring(f"{_ID}-{number}")
        async with asyncio.timeout(5):
            await ear.wait(_LONG)
