"""Counts how often each caller asks: in this process, or in Redis for all processes together.

Rules: a window slides over the last minute. When Redis is away nobody is held up: a limit protects
the server, it is no part of the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool

from promptpilot.clock import Clock
from promptpilot.errors import RateLimited

log = structlog.get_logger()

_PREFIX: Final = "pp:rate"
_ANSWER_SECONDS: Final = 0.25
_BREAKER_SECONDS: Final = 1.0
_MINUTE_SECONDS: Final = 60.0


def memory_storage() -> Storage:
    """Return a storage for one process alone."""
    return MemoryStorage()


@asynccontextmanager
async def redis_storage(url: str) -> AsyncIterator[Storage]:
    """Give a storage that all processes on one Redis share; it connects when it is first used."""
    pool = ConnectionPool.from_url(
        url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS
    )
    options: dict[str, Any] = {"connection_pool": pool}
    try:
        yield RedisStorage(
            "async+redis://",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix=_PREFIX,
            **options,
        )
    finally:
        await pool.aclose()


class CallerRates:
    """How many operations a minute the callers of each kind may ask for.

    `per_minute` maps the kind, which is the part of a key before its colon, to that number; 0, and
    a kind that is not named, have no limit.
    """

    def __init__(self, storage: Storage, per_minute: Mapping[str, int], clock: Clock) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._items: dict[str, RateLimitItem] = {
            kind: RateLimitItemPerMinute(count) for kind, count in per_minute.items() if count
        }
        self._clock = clock
        self._silent_until = 0.0

    async def spend(self, key: str) -> None:
        """Count one operation; raise RateLimited with the instant from which one may succeed."""
        item = self._items.get(key.partition(":")[0])
        now = asyncio.get_running_loop().time()
        if item is None or now < self._silent_until:
            return
        try:
            is_within = await self._limiter.hit(item, key)
            wait = 0.0 if is_within else await self._wait(item, key)
        except (StorageError, OSError, TimeoutError) as error:
            self._silent_until = now + _BREAKER_SECONDS
            log.warning("rates.uncounted", reason=str(error))
            return
        if not is_within:
            message = (
                f"More than {item.amount} operations came from this caller in a minute; come back"
                f" in {wait:.0f} seconds."
            )
            raise RateLimited(message, self._clock.now() + timedelta(seconds=wait))

    async def _wait(self, item: RateLimitItem, key: str) -> float:
        stats = await self._limiter.get_window_stats(item, key)
        rest = stats.reset_time - self._clock.now().timestamp()
        return min(max(1.0, rest), _MINUTE_SECONDS)
