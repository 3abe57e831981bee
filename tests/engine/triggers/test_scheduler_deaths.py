"""Proves that a scheduler may be killed between any two statements: the next one finishes alike."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from promptpilot.engine.triggers.kinds import MissedRunPolicy, OverlapPolicy
from promptpilot.engine.triggers.scheduler import Scheduler
from promptpilot.models import Execution, Firing, Trigger
from tests.support.clock import BEGINNING
from tests.support.dying import DyingCommitter, DyingDatabase, Fate, Killed
from tests.support.schedules import Clockwork, assert_once, outcomes


def doomed(clockwork: Clockwork, fate: Fate) -> Scheduler:
    """Make a scheduler that meets a fate at its statements."""
    bench = clockwork.bench
    database = DyingDatabase(bench.database, fate)
    return clockwork.scheduler(None, database, DyingCommitter(bench.committer, fate))


async def make(clockwork: Clockwork, hours: int, **settings: Any) -> Trigger:
    """Forget all triggers, and make one of whose times so many hours wait to be handled."""
    for table in (Firing, Execution, Trigger):
        await table.all().delete()
    clockwork.bench.clock.at = BEGINNING
    trigger = await clockwork.trigger(**settings)
    clockwork.bench.clock.move(hours=hours, minutes=5)
    return trigger


async def told(trigger: Trigger) -> tuple[list[str], list[str], Any]:
    """Return all that a trigger led to."""
    rows = await Execution.filter(trigger_id=trigger.id).order_by("created_at", "id")
    moved = await Trigger.get(id=trigger.id)
    return await outcomes(trigger), sorted(row.status for row in rows), moved.next_run_at


async def undisturbed(clockwork: Clockwork, hours: int, **settings: Any) -> Any:
    """Return what a trigger leads to when nobody dies."""
    trigger = await make(clockwork, hours, **settings)
    await clockwork.scheduler().tick()
    return await told(trigger)


async def disturbed(clockwork: Clockwork, deaths: int, hours: int, **settings: Any) -> Any:
    """Return what it leads to when a scheduler dies in time; None if it lived through its tick."""
    trigger = await make(clockwork, hours, **settings)
    fate = Fate(deaths)
    with suppress(Killed):
        await doomed(clockwork, fate).tick()
    if not fate.has_struck:
        return None
    await clockwork.scheduler().tick()
    await assert_once(trigger)
    return await told(trigger)


@pytest.mark.parametrize("overlap", OverlapPolicy)
async def test_whenever_it_is_killed_the_next_scheduler_makes_the_same_of_every_time(
    clockwork: Clockwork, overlap: OverlapPolicy
) -> None:
    settings = {"overlap_policy": overlap, "missed_run_policy": MissedRunPolicy.RUN_ALL}
    expected = await undisturbed(clockwork, 3, **settings)

    deaths = 0
    while (ended := await disturbed(clockwork, deaths, 3, **settings)) is not None:
        assert ended == expected, f"killed at {deaths}"
        deaths += 1

    assert deaths > 10


@pytest.mark.parametrize("policy", MissedRunPolicy)
async def test_whenever_it_is_killed_nothing_is_missed_twice_or_forgotten(
    clockwork: Clockwork, policy: MissedRunPolicy
) -> None:
    settings = {"cron": "0 */4 * * *", "missed_run_policy": policy}
    expected = await undisturbed(clockwork, 60, **settings)

    deaths = 0
    while (ended := await disturbed(clockwork, deaths, 60, **settings)) is not None:
        assert ended == expected, f"killed at {deaths}"
        deaths += 1

    assert deaths > 10
