"""Proves that callers are counted in a process and in Redis, and that Redis may be away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from limits.aio.storage import Storage

from promptpilot.clock import SystemClock
from promptpilot.errors import RateLimited
from promptpilot.rates import CallerRates, memory_storage, redis_storage
from tests.support.redis import RedisServer

PER_MINUTE = {"user": 3, "address": 0}


@pytest.fixture(params=["memory", "redis"])
async def storage(
    request: pytest.FixtureRequest, redis_server: RedisServer
) -> AsyncIterator[Storage]:
    """Give a storage of each kind."""
    if request.param == "memory":
        yield memory_storage()
    else:
        async with redis_storage(redis_server.url) as shared:
            yield shared


def counting(storage: Storage) -> CallerRates:
    return CallerRates(storage, PER_MINUTE, SystemClock())


async def test_one_operation_too_many_is_refused_for_its_caller_alone(
    storage: Storage,
) -> None:
    rates = counting(storage)
    for _ in range(3):
        await rates.spend("user:a")

    with pytest.raises(RateLimited, match="More than 3 operations") as refused:
        await rates.spend("user:a")

    await rates.spend("user:b")
    assert 0 < (refused.value.retry_after - SystemClock().now()).total_seconds() <= 60


async def test_a_kind_without_a_limit_is_not_counted(storage: Storage) -> None:
    rates = counting(storage)

    for _ in range(10):
        await rates.spend("address:127.0.0.1")
        await rates.spend("robot:1")


async def test_processes_on_one_redis_count_together(redis_server: RedisServer) -> None:
    url = redis_server.url
    async with redis_storage(url) as first, redis_storage(url) as second:
        one, other = counting(first), counting(second)
        for rates in (one, other, one):
            await rates.spend("user:together")

        with pytest.raises(RateLimited):
            await other.spend("user:together")


async def test_nobody_is_held_up_while_redis_is_away() -> None:
    async with redis_storage("redis://127.0.0.1:1/0") as away, asyncio.timeout(5):
        rates = counting(away)

        for _ in range(10):
            await rates.spend("user:a")
