"""Proves that what is due fires once, in time and with a reason when it does not start."""

from __future__ import annotations

from datetime import timedelta

import pytest

from promptpilot.models import Execution, Firing, Trigger, Workflow
from tests.support.clock import BEGINNING
from tests.support.schedules import Clockwork, outcomes

#: The first time of an hourly schedule, which is made at 12:00:30.
AT_ONE = BEGINNING.replace(hour=13, second=0)
TO_ONE = timedelta(minutes=59, seconds=30)


async def test_what_is_due_starts_one_execution_that_knows_its_time(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger(input={"title": "Hourly"})
    clockwork.bench.clock.at = AT_ONE

    await clockwork.scheduler().tick()

    row = await Execution.get()
    assert (row.trigger_type, row.trigger_id, row.input) == (
        "SCHEDULED",
        trigger.id,
        {"title": "Hourly"},
    )
    assert row.trigger_data == {"scheduledFor": "2026-09-01T13:00:00.000Z"}
    assert clockwork.bench.waker.count == 1


async def test_a_firing_says_how_late_it_was_and_the_trigger_moves_on(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger()
    clockwork.bench.clock.at = AT_ONE + timedelta(seconds=2)

    await clockwork.scheduler().tick()

    firing, moved = await Firing.get(), await Trigger.get(id=trigger.id)
    assert firing.scheduled_for == AT_ONE
    assert firing.created_at - AT_ONE == timedelta(seconds=2)
    assert (moved.last_scheduled_for, moved.next_run_at) == (AT_ONE, AT_ONE + timedelta(hours=1))
    assert moved.revision == 1


async def test_the_same_time_does_not_fire_again(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger()
    clockwork.bench.clock.at = AT_ONE
    scheduler = clockwork.scheduler()

    for _ in range(3):
        await scheduler.tick()

    assert await outcomes(trigger) == ["13:00 STARTED"]


@pytest.mark.parametrize(
    ("before", "seconds"), [(TO_ONE, 1.0), (timedelta(milliseconds=150), 0.15)]
)
async def test_a_tick_says_when_there_is_more_to_do(
    clockwork: Clockwork, before: timedelta, seconds: float
) -> None:
    await clockwork.trigger()
    clockwork.bench.clock.at = AT_ONE - before

    assert await clockwork.scheduler().tick() == seconds


async def test_without_schedules_there_is_nothing_to_do(clockwork: Clockwork) -> None:
    assert await clockwork.scheduler().tick() == 1.0


async def test_what_is_switched_off_does_not_fire(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger(is_active=False)
    clockwork.bench.clock.at = AT_ONE

    assert await clockwork.scheduler().tick() == 1.0

    assert await outcomes(trigger) == []


async def test_the_times_of_a_workflow_that_is_off_are_recorded_and_not_made_up_for(
    clockwork: Clockwork,
) -> None:
    trigger = await clockwork.trigger()
    await Workflow.filter(id=clockwork.workflow.id).update(is_active=False)
    clockwork.bench.clock.at = AT_ONE
    await clockwork.scheduler().tick()

    await Workflow.filter(id=clockwork.workflow.id).update(is_active=True)
    await clockwork.scheduler().tick()

    assert await outcomes(trigger) == ["13:00 INACTIVE"]
    assert "switched off" in str((await Firing.get()).error)


async def test_an_input_that_does_not_satisfy_the_workflow_is_rejected_with_its_paths(
    clockwork: Clockwork,
) -> None:
    trigger = await clockwork.trigger(input={"title": 1, "other": 2})
    clockwork.bench.clock.at = AT_ONE

    await clockwork.scheduler().tick()

    error = (await Firing.get()).error or {}
    assert await outcomes(trigger) == ["13:00 REJECTED"]
    paths = [each["path"] for each in error["details"]["errors"]]
    assert paths == [["input", "other"], ["input", "title"]]


async def test_a_schedule_that_has_ended_has_no_next_run(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger(ends_at=AT_ONE)
    clockwork.bench.clock.at = AT_ONE

    await clockwork.scheduler().tick()

    assert await outcomes(trigger) == ["13:00 STARTED"]
    assert (await Trigger.get(id=trigger.id)).next_run_at is None


async def test_a_zone_that_is_not_known_any_more_pauses_the_trigger_with_the_reason(
    clockwork: Clockwork,
) -> None:
    trigger = await clockwork.trigger()
    lost = {**trigger.config, "time_zone": "Mars/Base"}
    await Trigger.filter(id=trigger.id).update(config=lost)
    clockwork.bench.clock.at = AT_ONE

    await clockwork.scheduler().tick()

    paused = await Trigger.get(id=trigger.id)
    assert (paused.is_active, paused.next_run_at, paused.revision) == (False, None, 2)
    assert "'Mars/Base' is not the name of an IANA time zone" in str(paused.paused_reason)


async def test_one_trigger_that_cannot_be_handled_keeps_no_other_from_firing(
    clockwork: Clockwork,
) -> None:
    broken, sound = [await clockwork.trigger() for _ in range(2)]
    await Trigger.filter(id=broken.id).update(config={})
    clockwork.bench.clock.at = AT_ONE

    assert await clockwork.scheduler().tick() == 1.0

    assert await outcomes(sound) == ["13:00 STARTED"]


async def test_more_than_a_page_of_triggers_fires_in_one_tick(clockwork: Clockwork) -> None:
    triggers = [await clockwork.trigger() for _ in range(120)]
    clockwork.bench.clock.at = AT_ONE

    await clockwork.scheduler().tick()

    assert [await outcomes(each) for each in triggers] == [["13:00 STARTED"]] * 120


async def test_a_scheduler_that_is_to_stop_begins_no_firing(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger()
    clockwork.bench.clock.at = AT_ONE
    scheduler = clockwork.scheduler()

    scheduler.stop()
    await scheduler.tick()

    assert await outcomes(trigger) == []
    await clockwork.scheduler().tick()
    assert await outcomes(trigger) == ["13:00 STARTED"]


async def test_a_change_in_between_is_not_overwritten(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger()
    scheduler = clockwork.scheduler()
    clockwork.bench.clock.at = AT_ONE
    (due,) = await scheduler.agenda.due(AT_ONE, None)
    await Trigger.filter(id=trigger.id).update(revision=2)

    assert not await scheduler.agenda.move_on(due, None, AT_ONE)

    assert (await Trigger.get(id=trigger.id)).next_run_at == AT_ONE


async def test_next_runs_under_older_rules_of_zones_are_corrected_at_the_start(
    clockwork: Clockwork,
) -> None:
    right, wrong = [await clockwork.trigger() for _ in range(2)]
    await Trigger.filter(id=wrong.id).update(next_run_at=AT_ONE + timedelta(minutes=30))

    count = await clockwork.scheduler().recompute()

    assert count == 1
    for trigger in (right, wrong):
        assert (await Trigger.get(id=trigger.id)).next_run_at == AT_ONE
