"""What happens by the clock: sweeping for what nobody was rung for.

Any number of processes may tick; each tick is harmless and most find nothing.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Protocol

import structlog

from promptpilot import ids
from promptpilot.bells import REDIS_ERRORS, RedisBells
from promptpilot.cancelling import raise_if_cancelled

_TICK_SECONDS = 30.0
_JITTER = 0.4
_REFERENCE_VALUES = 16**12

log = structlog.get_logger(__name__)


class Sweeps(Protocol):
    """What a tick asks of the engine."""

    async def sweep(self) -> int:
        """Ring if something is due and was not rung for."""
        ...

    async def redeliver_all(self) -> None:
        """Forget every ring."""
        ...


class Ticks:
    """Ticks about every `every`, each time a little earlier or later than the other processes."""

    def __init__(self, sweeper: Sweeps, bells: RedisBells, every: timedelta) -> None:
        self._sweeper = sweeper
        self._bells = bells
        self._every = every.total_seconds()

    async def run(self) -> None:
        """Tick until cancelled; a tick that fails is logged, and the next one comes."""
        while True:
            await asyncio.sleep(self._every * (1 + _JITTER * _chance()))
            try:
                async with asyncio.timeout(_TICK_SECONDS):
                    await self.tick()
            except Exception as error:  # noqa: BLE001 -- the next tick does the same work
                log.warning("tick.failed", reason=str(error) or type(error).__name__)
            raise_if_cancelled()

    async def tick(self) -> None:
        """Find out whether Redis lost the rings, then sweep. Raises when the database is away."""
        has_forgotten = await self._has_redis_forgotten()
        if has_forgotten:
            log.info("bells.forgotten")
            await self._sweeper.redeliver_all()
        await self._sweeper.sweep()
        if has_forgotten:
            await self._remember()

    async def _has_redis_forgotten(self) -> bool:
        if self._bells.is_silent:
            return False
        try:
            return await self._bells.has_forgotten()
        except REDIS_ERRORS as error:
            self._bells.fall_silent(error)
            return False

    async def _remember(self) -> None:
        try:
            await self._bells.remember()
        except REDIS_ERRORS as error:
            self._bells.fall_silent(error)


def _chance() -> float:
    """Return a random number from -1 to 1."""
    return 2 * int(ids.new_reference(), 16) / _REFERENCE_VALUES - 1
