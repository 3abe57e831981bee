"""Proves that schedulers whose clocks disagree and jump fire each time exactly once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from promptpilot.engine.triggers.kinds import FoldPolicy, MissedRunPolicy, OverlapPolicy
from promptpilot.models import Execution, Firing
from tests.support.clock import BEGINNING, ManualClock
from tests.support.schedules import Clockwork, assert_once, schedule_of, times

#: On both Sundays the clocks of New York change in the night.
_SPRING = datetime(2026, 3, 7, 12, 0, 30, tzinfo=UTC)
_AUTUMN = datetime(2026, 10, 31, 12, 0, 30, tzinfo=UTC)
_CRONS = ("*/20 * * * *", "30 1 * * *", "30 2 * * *", "15 */2 * * *", "@daily")
_STEP = timedelta(minutes=17)
_SKEWS = (timedelta(0), timedelta(seconds=-47), timedelta(seconds=1.4))
_SETTINGS = {
    "missed_run_policy": MissedRunPolicy.RUN_ALL,
    "overlap_policy": OverlapPolicy.ALLOW,
    "fold_policy": FoldPolicy.BOTH,
}


@pytest.mark.parametrize("beginning", [_SPRING, _AUTUMN])
async def test_three_schedulers_fire_every_time_of_two_days_once(
    clockwork: Clockwork, beginning: datetime
) -> None:
    clock = clockwork.bench.clock
    clock.at = beginning
    zone = {"time_zone": "America/New_York"}
    triggers = [await clockwork.trigger(cron, **zone, **_SETTINGS) for cron in _CRONS]

    await _race(clockwork, beginning + timedelta(days=2))

    for trigger in triggers:
        due = schedule_of(trigger).between(beginning, clock.at, 999)
        assert await times(trigger) == due
        await assert_once(trigger)


@pytest.mark.parametrize("overlap", [OverlapPolicy.SKIP, OverlapPolicy.QUEUE_ALL])
async def test_of_schedulers_that_race_none_lets_executions_overlap(
    clockwork: Clockwork, overlap: OverlapPolicy
) -> None:
    trigger = await clockwork.trigger("*/5 * * * *", **{**_SETTINGS, "overlap_policy": overlap})

    await _race(clockwork, BEGINNING + timedelta(hours=4))

    open_now = await Execution.filter(trigger_id=trigger.id, finished_at__isnull=True)
    assert len(open_now) == 1
    assert await Firing.filter(trigger_id=trigger.id).count() == 48


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1), timedelta(days=-1)])
async def test_a_clock_that_jumps_and_comes_back_fires_nothing_twice_and_forgets_nothing(
    clockwork: Clockwork, jump: timedelta
) -> None:
    trigger = await clockwork.trigger("*/20 * * * *", **_SETTINGS)
    clock, scheduler = clockwork.bench.clock, clockwork.scheduler()
    latest = clock.at

    for step in range(40):
        clock.at += _STEP + {10: jump, 20: -jump}.get(step, timedelta(0))
        latest = max(latest, clock.at)
        await scheduler.tick()

    assert await times(trigger) == schedule_of(trigger).between(BEGINNING, latest, 999)
    await assert_once(trigger)


async def test_the_same_tick_of_many_schedulers_fires_once(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger()
    clockwork.bench.clock.move(hours=1)

    await asyncio.gather(*[clockwork.scheduler().tick() for _ in range(8)])

    assert len(await times(trigger)) == 1
    await assert_once(trigger)


async def _race(clockwork: Clockwork, until: datetime) -> None:
    """Let three schedulers, each by a clock of its own, tick at the same time, again and again."""
    clock = clockwork.bench.clock
    skewed = [ManualClock() for _ in _SKEWS]
    schedulers = [clockwork.scheduler(each) for each in skewed]
    while clock.at < until:
        clock.at = min(clock.at + _STEP, until)
        for each, skew in zip(skewed, _SKEWS, strict=True):
            each.at = clock.at + skew
        await asyncio.gather(*[scheduler.tick() for scheduler in schedulers])
