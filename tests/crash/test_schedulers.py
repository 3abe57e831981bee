"""Schedulers that are killed while they fire, by clocks that disagree, fire every time once."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.triggers.kinds import MissedRunPolicy, OverlapPolicy
from promptpilot.models import Execution, Firing, Trigger, Workflow
from tests.crash.havoc import SEED
from tests.crash.load import Load
from tests.support.installation import Installation, Process, shared
from tests.support.redis import RedisServer
from tests.support.scheduler_process import FastClock
from tests.support.schedules import all_times, assert_once, schedule_of, store_trigger, times
from tests.support.waiting import pass_time, wait_until

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(240)]

_PROGRAM = "tests.support.scheduler_process"
_SKEWS = ("0", "-75", "130")
_KILLS = 8
_CRONS = ("* * * * *", "*/2 * * * *", "1-59/7 * * * *")
#: How often the last kill has to be followed by times that fire.
_AFTERWARDS = timedelta(minutes=20)
_WITHIN_SECONDS = 60.0
#: How many executions of a trigger that fired often have not ended, when none ends by itself.
_LEFT_OPEN = {OverlapPolicy.SKIP: 1, OverlapPolicy.QUEUE_ALL: 1, OverlapPolicy.CANCEL_RUNNING: 1}


@pytest.fixture
def schedulers(tmp_path: Path, database_url: str, redis_server: RedisServer) -> Iterator[Crew]:
    """Give schedulers by a clock that runs fast, and each of them off by something else."""
    installation = Installation(tmp_path, shared(database_url, redis_server.url), _PROGRAM)
    yield Crew(installation)
    installation.remove()


class Crew:
    """Three schedulers; one that is killed is replaced."""

    def __init__(self, installation: Installation) -> None:
        since = SystemClock().now()
        self.clock = FastClock(since)
        self.began_at = since
        self._since = str(since.timestamp())
        self._installation = installation
        self.running: list[Process] = []

    def start(self, skew: str) -> None:
        """Start one more."""
        settings = {"FAST_SINCE": self._since, "FAST_SKEW": skew}
        self.running.append(self._installation.start("scheduler", **settings))

    def kill_one(self, chance: random.Random) -> None:
        """Kill one of those that run, and start another one in its place."""
        victim = chance.choice(self.running)
        victim.kill()
        self.running.remove(victim)
        self.start(chance.choice(_SKEWS))

    async def stop(self) -> list[int]:
        """Stop all as an operator would; return their exit codes."""
        for process in self.running:
            process.send(signal.SIGTERM)
        return [await process.ended(_WITHIN_SECONDS) for process in self.running]


async def _make(load: Load, crew: Crew, cron: str, overlap: OverlapPolicy) -> Trigger:
    workflow = await Workflow.get(id=load.workflow_id)
    return await store_trigger(
        workflow,
        crew.began_at,
        cron,
        input={"manner": "quick"},
        overlap_policy=overlap,
        missed_run_policy=MissedRunPolicy.RUN_ALL,
    )


async def _wreck(crew: Crew, triggers: list[Trigger], chance: random.Random) -> None:
    """Kill at random moments, then let the times of some minutes more fire."""
    for skew in _SKEWS:
        crew.start(skew)
    for _ in range(_KILLS):
        before = await Firing.all().count()
        await wait_until(partial(_has_more, before), _WITHIN_SECONDS)
        await pass_time(chance.uniform(0, 0.4))
        crew.kill_one(chance)
    until = crew.clock.now() + _AFTERWARDS

    async def has_passed() -> bool:
        rows = await Trigger.filter(id__in=[each.id for each in triggers])
        return all(row.next_run_at and row.next_run_at > until for row in rows)

    await wait_until(has_passed, _WITHIN_SECONDS)


async def _has_more(before: int) -> bool:
    return await Firing.all().count() > before


@pytest.mark.parametrize("seed", [SEED])
async def test_schedulers_that_are_killed_fire_every_time_once(
    schedulers: Crew, load: Load, seed: int
) -> None:
    allow = OverlapPolicy.ALLOW
    triggers = [await _make(load, schedulers, cron, allow) for cron in _CRONS]

    await _wreck(schedulers, triggers, random.Random(seed))  # noqa: S311 -- it has to repeat itself
    codes = await schedulers.stop()

    assert codes == [0] * len(_SKEWS)
    for trigger in triggers:
        fired = await times(trigger)
        assert fired == schedule_of(trigger).between(schedulers.began_at, fired[-1], 9999)
        await assert_once(trigger)


@pytest.mark.parametrize("seed", [SEED + 1])
async def test_schedulers_that_are_killed_keep_to_the_overlap_policy(
    schedulers: Crew, load: Load, seed: int
) -> None:
    made = {each: await _make(load, schedulers, "* * * * *", each) for each in _LEFT_OPEN}

    await _wreck(schedulers, list(made.values()), random.Random(seed))  # noqa: S311 -- as above
    await schedulers.stop()

    for policy, trigger in made.items():
        open_now = Execution.filter(trigger_id=trigger.id, finished_at__isnull=True)
        assert await open_now.count() == _LEFT_OPEN[policy]
        handled = await all_times(trigger)
        due = schedule_of(trigger).between(schedulers.began_at, handled[-1], 9999)
        assert handled == due
        await assert_once(trigger)
