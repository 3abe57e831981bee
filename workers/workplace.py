"""The runner of one process, with everything that wakes it and watches over it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from promptpilot.backbone import Backbone, owner_name
from promptpilot.engine.rescue import Sweeper
from promptpilot.engine.runner import Runner, RunnerSettings
from promptpilot.engine.solo import SoloSettings
from promptpilot.settings import Settings
from promptpilot.watchdog import Watchdog
from workers.ticks import Ticks

_MIB = 1024 * 1024


class Workplace:
    """Runs executions in this process. `run` it once; end it with `drain`."""

    def __init__(self, backbone: Backbone) -> None:
        settings = backbone.settings
        self.runner = Runner(backbone.tools(), backbone.bells, _runner_settings(settings))
        self._ticks = make_ticks(backbone)
        self._watchdog = Watchdog(2 * settings.lease)
        backbone.bells.call_runner(self.runner.wake)

    async def run(self) -> None:
        """Claim, drive, sweep and watch until drained. Raises only for a bug of ours."""
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self._ticks.run(), name="ticks"),
                group.create_task(self._watchdog.beat(), name="watchdog"),
            ]
            await self.runner.run()
            for helper in helpers:
                helper.cancel()

    async def drain(self, grace: timedelta) -> None:
        """Take nothing more, let steps end within `grace`, give the rest back; run() returns."""
        await self.runner.drain(grace)


def make_ticks(backbone: Backbone) -> Ticks:
    """Return the ticks of a process."""
    sweeper = Sweeper(backbone.database, backbone.bells)
    return Ticks(sweeper, backbone.bells, backbone.settings.sweep)


def _runner_settings(settings: Settings) -> RunnerSettings:
    return RunnerSettings(
        owner=owner_name(),
        slots=settings.worker_slots,
        lease=settings.lease,
        solo=SoloSettings(memory_bytes=settings.solo_memory_mb * _MIB),
    )
