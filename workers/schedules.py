"""Fires schedules in a process until it is to stop.

Any number of processes may do so. After SIGTERM no firing is begun; what was not handled then is
handled by the others, or after the next start.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from promptpilot import ids
from promptpilot.backbone import Backbone
from promptpilot.cancelling import raise_if_cancelled
from promptpilot.engine.control import Control
from promptpilot.engine.launch import Launcher
from promptpilot.engine.triggers.scheduler import Scheduler
from promptpilot.stopping import Stopping

_TICK_SECONDS: Final = 60.0
#: After a tick that failed, and the longest pause without one.
_PAUSE_SECONDS: Final = 1.0
#: By what part a full pause is shortened, so that processes do not all look at the same moment.
_JITTER: Final = 0.3

log = structlog.get_logger(__name__)


class Ticking(Protocol):
    """What is asked of the engine."""

    async def recompute(self) -> int:
        """Correct next runs that were computed under other rules of time zones."""
        ...

    async def tick(self) -> float:
        """Fire what is due; return after how many seconds there may be more."""
        ...

    def stop(self) -> None:
        """Begin no firing any more; what is in hand is finished."""
        ...


class Schedules:
    """Lets a scheduler tick whenever something comes due, and at least about once a second."""

    def __init__(self, scheduler: Ticking) -> None:
        self._scheduler = scheduler
        self._is_recomputed = False

    async def run(self, stopping: Stopping) -> None:
        """Tick until the process is to stop; one that fails is logged, and the next one comes."""
        hearing = asyncio.create_task(self._hear(stopping), name="schedules: hear")
        try:
            while not stopping.soon.is_set():
                pause = await self._tick()
                raise_if_cancelled()
                await stopping.pause(_jittered(pause))
        finally:
            hearing.cancel()

    async def _hear(self, stopping: Stopping) -> None:
        await stopping.soon.wait()
        self._scheduler.stop()

    async def _tick(self) -> float:
        try:
            async with asyncio.timeout(_TICK_SECONDS):
                if not self._is_recomputed:
                    await self._scheduler.recompute()
                    self._is_recomputed = True
                return await self._scheduler.tick()
        except Exception as error:  # noqa: BLE001 -- the next tick does the same work
            log.warning("schedule.tick_failed", reason=str(error) or type(error).__name__)
            return _PAUSE_SECONDS


def _jittered(pause: float) -> float:
    """Return a full pause shortened by chance; after a shorter one something is due."""
    return pause if pause < _PAUSE_SECONDS else pause * (1 - _JITTER * ids.random_fraction())


def make_schedules(backbone: Backbone) -> Schedules:
    """Return what fires the schedules of a process."""
    database, clock, bells = backbone.database, backbone.clock, backbone.bells
    max_bytes = backbone.settings.max_input_bytes
    launcher = Launcher(database, backbone.committer, backbone.versions, clock, max_bytes)
    control = Control(database, clock)
    return Schedules(Scheduler(database, launcher, control, waker=bells, feed=bells))
