"""Ticks sweep whatever happens to Redis, and deliver everything again after it lost its data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from promptpilot.bells import RedisBells, connect, open_bells
from promptpilot.errors import Unavailable
from tests.support.redis import RedisServer
from workers.ticks import Ticks


class FakeSweeper:
    """Writes down what it is asked; its first sweeps may fail."""

    def __init__(self, failures: int = 0) -> None:
        self.asked: list[str] = []
        self.has_swept = asyncio.Event()
        self._failures = failures

    async def sweep(self) -> int:
        """Sweep, or fail as told."""
        self.asked.append("sweep")
        if self._failures:
            self._failures -= 1
            raise Unavailable("The database does not answer.")
        self.has_swept.set()
        return 0

    async def redeliver_all(self) -> None:
        """Forget every ring."""
        self.asked.append("redeliver")


@pytest.fixture
async def bells(redis_server: RedisServer) -> AsyncIterator[RedisBells]:
    """Give bells over a real Redis."""
    async with open_bells(redis_server.url) as opened:
        yield opened


def _ticks(sweeper: FakeSweeper, bells: RedisBells) -> Ticks:
    return Ticks(sweeper, bells, timedelta(milliseconds=1))


async def test_an_empty_redis_has_everything_delivered_again_once(bells: RedisBells) -> None:
    sweeper = FakeSweeper()
    ticks = _ticks(sweeper, bells)

    await ticks.tick()
    await ticks.tick()

    assert sweeper.asked == ["redeliver", "sweep", "sweep"]


async def test_a_flush_has_everything_delivered_again(
    bells: RedisBells, redis_server: RedisServer
) -> None:
    sweeper, client = FakeSweeper(), connect(redis_server.url)
    ticks = _ticks(sweeper, bells)
    await ticks.tick()

    await client.flushall()
    await ticks.tick()

    assert sweeper.asked == ["redeliver", "sweep"] * 2
    await client.aclose()


async def test_redis_is_not_told_before_the_sweep_succeeded(bells: RedisBells) -> None:
    sweeper = FakeSweeper(failures=1)
    ticks = _ticks(sweeper, bells)

    with pytest.raises(Unavailable):
        await ticks.tick()

    assert await bells.has_forgotten()


async def test_ticks_sweep_while_redis_is_away(
    bells: RedisBells, redis_server: RedisServer
) -> None:
    sweeper = FakeSweeper()
    redis_server.kill()

    await _ticks(sweeper, bells).tick()

    assert sweeper.asked == ["sweep"]
    assert bells.is_silent


async def test_a_failed_tick_is_followed_by_the_next(bells: RedisBells) -> None:
    sweeper = FakeSweeper(failures=2)
    ticking = asyncio.create_task(_ticks(sweeper, bells).run())

    await asyncio.wait_for(sweeper.has_swept.wait(), 5)

    ticking.cancel()
    await asyncio.wait([ticking])
