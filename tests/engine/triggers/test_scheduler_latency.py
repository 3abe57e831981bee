"""Proves, on a clock that runs, that a time fires within 2 seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.models import Firing, Trigger
from promptpilot.models.database import Database
from promptpilot.stopping import Stopping
from tests.support.schedules import Clockwork, store_trigger
from tests.support.waiting import wait_until
from workers.schedules import Schedules

_BAR = timedelta(seconds=2)
_WITHIN_SECONDS = 20.0


class ShiftedClock:
    """Runs as the real one, and shows 4 seconds before a full minute when it is made."""

    def __init__(self) -> None:
        now = SystemClock().now()
        self._by = now.replace(second=56, microsecond=0) - now

    def now(self) -> datetime:
        """Return the instant that this clock shows."""
        return SystemClock().now() + self._by


@pytest.fixture
async def clock() -> ShiftedClock:
    """Give a clock that soon shows a full minute."""
    return ShiftedClock()


@pytest.fixture
async def committer(database: Database, clock: ShiftedClock) -> AsyncIterator[Committer]:
    """Give a committer on that clock."""
    opened = await open_committer(database, clock=clock)
    yield opened
    await opened.close()


@pytest.mark.parametrize("count", [1, 40])
async def test_a_time_fires_within_two_seconds(
    clockwork: Clockwork, clock: ShiftedClock, committer: Committer, count: int
) -> None:
    now, workflow = clock.now(), clockwork.workflow
    triggers = [await store_trigger(workflow, now, "* * * * *") for _ in range(count)]
    stopping = Stopping()
    schedules = Schedules(clockwork.scheduler(clock, None, committer))

    async with asyncio.TaskGroup() as group:
        group.create_task(schedules.run(stopping))
        await wait_until(lambda: _have_fired(triggers), _WITHIN_SECONDS)
        stopping.soon.set()

    lags = await _lags(triggers)
    assert timedelta(0) <= min(lags)
    assert max(lags) <= _BAR


async def _have_fired(triggers: Sequence[Trigger]) -> bool:
    return len(await _lags(triggers)) == len(triggers)


async def _lags(triggers: Sequence[Trigger]) -> list[timedelta]:
    """Return by how much the first time of each trigger was late."""
    due = {trigger.id: trigger.next_run_at for trigger in triggers}
    rows = await Firing.all()
    return [
        row.created_at - row.scheduled_for
        for row in rows
        if row.scheduled_for is not None and row.scheduled_for == due[row.trigger_id]
    ]
