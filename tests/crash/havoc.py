"""Kills workers at random while they work, and counts what they held."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

from tests.crash.load import Load
from tests.support.installation import Installation, Process
from tests.support.waiting import wait_until

#: How many executions are kept unfinished meanwhile.
_BUSY = 60
_WITHIN_SECONDS = 60.0
#: At most so many effects happen between two kills.
_LONGEST_CALM = 40

#: With the same seed, the same choices are made; it is part of the name of each test.
SEED = int(os.environ.get("CRASH_SEED", "20260901"))


def kills_for_each_database() -> int:
    """Return half of the kills that CRASH_KILLS asks for, 30 in all by default."""
    return max(1, int(os.environ.get("CRASH_KILLS", "30")) // 2)


@dataclass
class Havoc:
    """Kills, and remembers how many executions were in the hands of those it killed."""

    installation: Installation
    load: Load
    seed: int
    busy: int = _BUSY
    in_flight: int = 0

    def __post_init__(self) -> None:
        """Begin the row of chances that belongs to the seed."""
        self._chance = random.Random(self.seed)  # noqa: S311 -- it has to repeat itself

    async def pick_busy(self) -> Process:
        """Return a worker that holds something, at a random moment."""
        await self._calm()
        return await wait_until(self._busy_worker, _WITHIN_SECONDS)

    async def kill_one(self) -> None:
        """Kill a worker that holds something, at a random moment, and start another one."""
        victim = await self.pick_busy()
        victim.kill()
        self.in_flight += await self.load.held_by([victim.pid])
        self.installation.start("worker")

    async def kill_all(self) -> None:
        """Kill every worker at once, at a random moment, and start as many others."""
        await self.pick_busy()
        victims = self.installation.running
        self.installation.kill_all()
        self.in_flight += await self.load.held_by([victim.pid for victim in victims])
        self.installation.start_workers(len(victims))

    @property
    def lost_leases(self) -> int:
        """Count the leases that workers lost because the machine was too busy to renew them."""
        return len(self.installation.lines("lease.lost"))

    async def _busy_worker(self) -> Process | None:
        held = await self.load.held()
        busy = [each for each in self.installation.running if each.pid in held]
        return self._chance.choice(busy) if busy else None

    async def _calm(self) -> None:
        """Let a random number of effects happen, with never less to do."""
        wanted = len(self.installation.effects()) + self._chance.randint(1, _LONGEST_CALM)

        async def has_happened() -> bool:
            await self.load.fill_up(self.busy)
            return len(self.installation.effects()) >= wanted

        await wait_until(has_happened, _WITHIN_SECONDS)
