"""Ringing over Redis never waits, wakes within milliseconds, and outlives every loss of Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from promptpilot.bells import (
    DOOR_CHANNEL,
    FEED_CHANNEL,
    QUEUE,
    REDIS_ERRORS,
    RedisBells,
    connect,
    open_bells,
)
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

_ID = "ex_00000000000000000000000000"


@pytest.fixture
async def here(redis_server: RedisServer) -> AsyncIterator[RedisBells]:
    """Give the bells of a process that only rings."""
    async with open_bells(redis_server.url) as bells:
        yield bells


@pytest.fixture
async def there(redis_server: RedisServer) -> AsyncIterator[RedisBells]:
    """Give the bells of a process that hears everything, once it does."""
    async with open_bells(redis_server.url, [DOOR_CHANNEL, FEED_CHANNEL]) as bells:
        async with bells.listen(_ID) as ear:
            await ear.wait(20)
        yield bells


def _woken(bells: RedisBells) -> asyncio.Event:
    woken = asyncio.Event()
    bells.call_runner(woken.set)
    return woken


async def test_a_wake_reaches_the_runner_of_another_process(
    here: RedisBells, there: RedisBells
) -> None:
    woken = _woken(there)

    here.wake()

    async with asyncio.timeout(5):
        await woken.wait()


async def test_a_wake_reaches_the_runner_of_this_process_at_once(here: RedisBells) -> None:
    woken = _woken(here)

    here.wake()

    assert woken.is_set()


async def test_many_wakes_lay_few_jobs(here: RedisBells, there: RedisBells) -> None:
    woken, client = _woken(there), connect(here.url)

    for _ in range(1000):
        here.wake()
        await asyncio.sleep(0)
    await woken.wait()

    assert 1 <= await client.zcard(QUEUE) <= 50
    await client.aclose()


async def test_the_queue_of_an_installation_without_workers_stays_small(here: RedisBells) -> None:
    client = connect(here.url)
    await client.zadd(QUEUE, {f"old-{number}": number for number in range(5000)})

    here.wake()

    async def is_short() -> bool:
        return int(await client.zcard(QUEUE)) == 100

    await wait_until(is_short, 5)
    await client.aclose()


@pytest.mark.parametrize("loss", ["kill", "pause"])
async def test_ringing_takes_no_time_when_redis_is_lost(
    loss: str, redis_server: RedisServer, here: RedisBells
) -> None:
    getattr(redis_server, loss)()

    started_at = time.perf_counter()
    for _ in range(100):
        here.wake()
        here.ring(_ID)
        await asyncio.sleep(0)

    assert time.perf_counter() - started_at < 0.3


async def test_a_lost_redis_is_left_alone_for_a_second(
    redis_server: RedisServer, here: RedisBells
) -> None:
    redis_server.kill()
    here.wake()

    async def is_silent() -> bool:
        return here.is_silent

    await wait_until(is_silent, 5)


async def test_everybody_is_rung_when_redis_comes_back(
    redis_server: RedisServer, there: RedisBells
) -> None:
    woken = _woken(there)

    redis_server.restart()

    async with asyncio.timeout(10), there.listen("ex_other") as ear:
        await woken.wait()
        await ear.wait(20)


async def test_rings_arrive_again_after_redis_was_killed(
    redis_server: RedisServer, here: RedisBells, there: RedisBells
) -> None:
    woken = _woken(there)
    redis_server.restart()
    await asyncio.wait_for(woken.wait(), 10)
    woken.clear()

    async def is_woken() -> bool:
        here.wake()
        return woken.is_set()

    await wait_until(is_woken, 10)


async def test_a_flushed_redis_is_noticed(redis_server: RedisServer, here: RedisBells) -> None:
    client = connect(here.url)
    assert await here.has_forgotten()
    await here.remember()
    assert not await here.has_forgotten()

    await client.flushall()

    assert await here.has_forgotten()
    await client.aclose()


async def test_a_killed_redis_says_nothing_about_its_memory(
    redis_server: RedisServer, here: RedisBells
) -> None:
    redis_server.kill()

    with pytest.raises(REDIS_ERRORS):
        await here.has_forgotten()


@pytest.mark.parametrize("channel", [DOOR_CHANNEL, FEED_CHANNEL])
async def test_garbage_on_a_channel_is_passed_over(
    channel: str, here: RedisBells, there: RedisBells
) -> None:
    client, woken = connect(here.url), _woken(there)

    for garbage in (b"", b"\xff\xfe", b" " * 10, b"x" * 100_000):
        await client.publish(channel, garbage)
    here.wake()

    await asyncio.wait_for(woken.wait(), 5)
    await client.aclose()
