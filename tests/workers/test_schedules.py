"""The loop of a scheduler ticks when something is due, whatever happens, until it is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from promptpilot.errors import Unavailable
from promptpilot.stopping import Stopping
from workers.schedules import Schedules

PATIENCE_SECONDS = 10.0


class FakeScheduler:
    """Returns these pauses; a negative one fails. Writes down what it is asked."""

    def __init__(self, *pauses: float, recompute_failures: int = 0) -> None:
        self.asked: list[str] = []
        self.is_over = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self._pauses = list(pauses)
        self._failures = recompute_failures

    async def recompute(self) -> int:
        """Correct nothing, or fail as told."""
        self.asked.append("recompute")
        if self._failures:
            self._failures -= 1
            raise Unavailable("The database does not answer.")
        return 0

    async def tick(self) -> float:
        """Return the next pause; wait for the gate if there is one."""
        self.asked.append("tick")
        pause = self._pauses.pop(0)
        if not self._pauses:
            self.is_over.set()
        if self.gate is not None:
            await self.gate.wait()
            self.asked.append("done")
        if pause < 0:
            raise Unavailable("The database does not answer.")
        return pause

    def stop(self) -> None:
        """Write it down."""
        self.asked.append("stop")
        if self.gate is not None:
            self.gate.set()


@asynccontextmanager
async def _run(scheduler: FakeScheduler) -> AsyncIterator[None]:
    """Run the loop until the last pause but one is over, then stop it."""
    stopping = Stopping()
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(Schedules(scheduler).run(stopping))
        await scheduler.is_over.wait()
        stopping.soon.set()
        yield


@pytest.mark.parametrize("pauses", [(60.0,), (0.0, 0.0, 60.0), (-1.0, 0.0, 60.0)])
async def test_it_ticks_until_the_process_is_to_stop(pauses: tuple[float, ...]) -> None:
    scheduler = FakeScheduler(*pauses)

    async with _run(scheduler):
        pass

    assert scheduler.asked[0] == "recompute"
    assert scheduler.asked.count("tick") == len(pauses)


async def test_next_runs_are_corrected_before_the_first_tick_and_once() -> None:
    scheduler = FakeScheduler(0.0, 60.0, recompute_failures=1)

    async with _run(scheduler):
        pass

    assert scheduler.asked[:4] == ["recompute", "recompute", "tick", "tick"]


async def test_what_is_in_hand_is_finished_and_nothing_else_begun() -> None:
    scheduler = FakeScheduler(0.0)
    scheduler.gate = asyncio.Event()

    async with _run(scheduler):
        pass

    assert scheduler.asked == ["recompute", "tick", "stop", "done"]
