"""A job only wakes the runner, within milliseconds, and no loss of Redis ends the worker."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import AsyncIterator

import pytest

from promptpilot.bells import DOOR_CHANNEL, HEALTH_KEY, QUEUE, RedisBells, connect, open_bells
from tests.support.fakes import FakeRunner
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until
from workers.worker import take_jobs


class Bench:
    """A runner that jobs wake, and the bells of the process that lays the jobs."""

    def __init__(self, runner: FakeRunner, bells: RedisBells) -> None:
        self.runner = runner
        self.bells = bells
        self._woken = asyncio.Event()
        runner.waker.call(self._woken.set)

    async def seconds_to_wake(self) -> float:
        """Ring and return how long it takes until a job wakes the runner."""
        self._woken.clear()
        started_at = time.perf_counter()
        self.bells.wake()
        await asyncio.wait_for(self._woken.wait(), 20)
        return time.perf_counter() - started_at

    async def wait_woken(self) -> None:
        """Ring until a job wakes the runner."""
        self._woken.clear()

        async def is_woken() -> bool:
            self.bells.wake()
            return self._woken.is_set()

        await wait_until(is_woken, 20)


@pytest.fixture
async def bench(redis_server: RedisServer) -> AsyncIterator[Bench]:
    """Give a worker that takes jobs."""
    runner = FakeRunner()
    async with (
        open_bells(redis_server.url) as api,
        open_bells(redis_server.url, [DOOR_CHANNEL]) as bells,
    ):
        working = asyncio.create_task(take_jobs(runner, bells))
        made = Bench(runner, api)
        await made.wait_woken()
        yield made
        working.cancel()
        await asyncio.wait([working])


async def test_a_job_wakes_the_runner_long_before_the_next_look(bench: Bench) -> None:
    seconds = [await bench.seconds_to_wake() for _ in range(15)]

    assert sorted(seconds)[7] < 0.1  # arq by itself looks every half second


async def test_a_finished_job_leaves_nothing_behind(bench: Bench) -> None:
    client = connect(bench.bells.url)
    await bench.seconds_to_wake()

    async def is_empty() -> bool:
        return set(await client.keys("*")) <= {HEALTH_KEY.encode()}

    await wait_until(is_empty, 5)
    await client.aclose()


@pytest.mark.parametrize("obstacle", [{"free_slots": 0}, {"is_draining": True}])
async def test_a_runner_without_room_takes_no_job(bench: Bench, obstacle: dict[str, int]) -> None:
    client, before = connect(bench.bells.url), bench.runner.waker.count
    for name, value in obstacle.items():
        setattr(bench.runner, name, value)

    bench.bells.wake()

    async def is_waiting() -> bool:
        return int(await client.zcard(QUEUE)) > 0

    await wait_until(is_waiting, 5)
    assert bench.runner.waker.count == before
    await client.aclose()


@pytest.mark.parametrize("loss", ["restart", "flush", "pause"])
async def test_jobs_are_taken_again_after_redis_was_lost(
    loss: str, bench: Bench, redis_server: RedisServer
) -> None:
    match loss:
        case "restart":
            redis_server.restart()
        case "flush":
            client = connect(redis_server.url)
            await client.flushall()
            await client.aclose()
        case _:
            redis_server.pause()
            bench.bells.wake()
            redis_server.resume()

    await bench.wait_woken()


async def test_a_job_that_is_no_json_is_thrown_away_unread(bench: Bench) -> None:
    client = connect(bench.bells.url)
    await client.set("arq:job:evil", pickle.dumps({"t": 1, "f": "wake", "a": (), "k": {}}))
    await client.zadd(QUEUE, {"evil": 1})

    await bench.wait_woken()

    async def is_gone() -> bool:
        return not await client.exists("arq:job:evil")

    await wait_until(is_gone, 5)
    await client.aclose()
