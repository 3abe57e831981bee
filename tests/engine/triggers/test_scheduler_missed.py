"""Proves what each policy makes of the times that passed while every scheduler was down."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from promptpilot.engine.triggers.kinds import MissedRunPolicy, OverlapPolicy
from promptpilot.models import Execution, Firing, Trigger
from tests.support.clock import BEGINNING
from tests.support.schedules import Clockwork, assert_once, outcomes, schedule_of, times

#: Overlaps are another matter.
ALLOW = OverlapPolicy.ALLOW
BY_HOUR = {
    MissedRunPolicy.SKIP: ["13:00 MISSED", "14:00 MISSED", "15:00 MISSED"],
    MissedRunPolicy.RUN_ONCE: ["13:00 MISSED", "14:00 MISSED", "15:00 STARTED"],
    MissedRunPolicy.RUN_ALL: ["13:00 STARTED", "14:00 STARTED", "15:00 STARTED"],
}
#: Of a time every minute over three hours: 179 are late, one is on time.
BY_MINUTE = {
    MissedRunPolicy.SKIP: {"MISSED": 179, "STARTED": 1},
    MissedRunPolicy.RUN_ONCE: {"MISSED": 178, "STARTED": 2},
    MissedRunPolicy.RUN_ALL: {"MISSED": 79, "STARTED": 101},
}


@pytest.mark.parametrize("policy", MissedRunPolicy)
async def test_after_three_hours_each_policy_runs_so_many_and_records_the_rest(
    clockwork: Clockwork, policy: MissedRunPolicy
) -> None:
    trigger = await clockwork.trigger(missed_run_policy=policy, overlap_policy=ALLOW)
    clockwork.bench.clock.move(hours=3, minutes=5)

    await clockwork.scheduler().tick()

    assert await outcomes(trigger) == BY_HOUR[policy]
    assert (await Trigger.get(id=trigger.id)).next_run_at == BEGINNING.replace(hour=16, second=0)
    await assert_once(trigger)


@pytest.mark.parametrize("policy", MissedRunPolicy)
async def test_at_most_a_hundred_run_late_and_none_is_forgotten(
    clockwork: Clockwork, policy: MissedRunPolicy
) -> None:
    trigger = await clockwork.trigger("* * * * *", missed_run_policy=policy, overlap_policy=ALLOW)
    clockwork.bench.clock.move(hours=3)

    await clockwork.scheduler().tick()

    rows = await Firing.filter(trigger_id=trigger.id)
    assert Counter(row.outcome for row in rows) == BY_MINUTE[policy]
    due = schedule_of(trigger).between(BEGINNING, clockwork.bench.clock.now(), 999)
    assert sorted(row.scheduled_for for row in rows if row.scheduled_for) == due


async def test_what_was_missed_says_why(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger(missed_run_policy=MissedRunPolicy.SKIP)
    clockwork.bench.clock.move(hours=1, minutes=5)

    await clockwork.scheduler().tick()

    firing = await Firing.get(trigger_id=trigger.id)
    assert (firing.error or {})["code"] == "MISSED"
    assert not await Execution.exists()


async def test_times_more_than_a_day_back_are_one_firing_with_their_number(
    clockwork: Clockwork,
) -> None:
    trigger = await clockwork.trigger(
        missed_run_policy=MissedRunPolicy.RUN_ALL, overlap_policy=ALLOW
    )
    clockwork.bench.clock.move(days=11)

    await clockwork.scheduler().tick()

    (missed,) = await Firing.filter(trigger_id=trigger.id, outcome="MISSED")
    assert missed.scheduled_for == BEGINNING.replace(hour=13, second=0)
    assert (missed.error or {})["details"] == {
        "missedCount": 240,
        "isExact": True,
        "until": "2026-09-11T12:00:00.000Z",
    }
    assert len(await times(trigger)) == 24
    await assert_once(trigger)


async def test_an_endless_backlog_is_counted_up_to_a_limit(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger("* * * * *", missed_run_policy=MissedRunPolicy.SKIP)
    clockwork.bench.clock.move(days=30)

    await clockwork.scheduler().tick()

    first = await Firing.filter(trigger_id=trigger.id).order_by("scheduled_for").first()
    assert first is not None
    details = (first.error or {})["details"]
    assert (details["missedCount"], details["isExact"]) == (10_000, False)
    assert await Firing.filter(trigger_id=trigger.id).count() == 1 + 24 * 60


async def test_what_passed_after_the_end_of_a_schedule_is_not_missed(clockwork: Clockwork) -> None:
    ends_at = BEGINNING + timedelta(hours=2)
    trigger = await clockwork.trigger(ends_at=ends_at)
    clockwork.bench.clock.move(days=3)

    await clockwork.scheduler().tick()

    (missed,) = await Firing.filter(trigger_id=trigger.id)
    assert (missed.outcome, (missed.error or {})["details"]["missedCount"]) == ("MISSED", 2)
    assert (await Trigger.get(id=trigger.id)).next_run_at is None


async def test_missed_times_that_run_go_the_way_of_the_overlap_policy(
    clockwork: Clockwork,
) -> None:
    trigger = await clockwork.trigger(
        missed_run_policy=MissedRunPolicy.RUN_ALL, overlap_policy=OverlapPolicy.SKIP
    )
    clockwork.bench.clock.move(hours=3)

    await clockwork.scheduler().tick()

    assert await outcomes(trigger) == [
        "13:00 STARTED",
        "14:00 SKIPPED_OVERLAP",
        "15:00 SKIPPED_OVERLAP",
    ]
