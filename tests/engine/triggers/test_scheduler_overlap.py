"""Proves what each policy does when an earlier execution of the trigger has not ended."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.definition import Definition
from promptpilot.engine.triggers.kinds import MissedRunPolicy, OverlapPolicy, TriggerType
from promptpilot.engine.triggers.overlap import Overlaps
from promptpilot.engine.triggers.queued import MAX_WAITING, QueuedFirings
from promptpilot.engine.triggers.scheduled_firings import ScheduledFirings
from promptpilot.models import Execution, Firing, Trigger, Workflow
from tests.support.clock import BEGINNING
from tests.support.drafts import transform
from tests.support.schedules import Clockwork, assert_once, outcomes

POLICIES = {
    OverlapPolicy.ALLOW: ["STARTED", "STARTED", "STARTED", "STARTED"],
    OverlapPolicy.SKIP: ["STARTED", "SKIPPED_OVERLAP", "SKIPPED_OVERLAP", "SKIPPED_OVERLAP"],
    OverlapPolicy.QUEUE_ONE: ["STARTED", "SKIPPED_OVERLAP", "SKIPPED_OVERLAP", "QUEUED"],
    OverlapPolicy.QUEUE_ALL: ["STARTED", "QUEUED", "QUEUED", "QUEUED"],
    OverlapPolicy.CANCEL_RUNNING: ["STARTED", "STARTED", "STARTED", "STARTED"],
}


async def fire(clockwork: Clockwork, times: int) -> None:
    """Let so many hours pass, with a scheduler that is on time."""
    scheduler = clockwork.scheduler()
    for _ in range(times):
        clockwork.bench.clock.move(hours=1)
        clockwork.bench.clock.at = clockwork.bench.clock.at.replace(minute=0, second=0)
        await scheduler.tick()


async def made(clockwork: Clockwork, policy: OverlapPolicy) -> Trigger:
    """Make an hourly trigger with a policy."""
    return await clockwork.trigger(overlap_policy=policy)


async def words(trigger: Trigger) -> list[str]:
    """Return what became of each time, in their order."""
    return [text.split()[1] for text in await outcomes(trigger)]


def overlaps(clockwork: Clockwork) -> Overlaps:
    """Make what admits times, without the scheduler around it."""
    bench = clockwork.bench
    queued = QueuedFirings(bench.database, bench.launcher)
    firings = ScheduledFirings(bench.database)
    return Overlaps(bench.database, bench.control, bench.feed, firings, queued)


async def statuses(trigger: Trigger) -> Counter[str]:
    """Count the executions of a trigger by their status."""
    return Counter(row.status for row in await Execution.filter(trigger_id=trigger.id))


@pytest.mark.parametrize("policy", OverlapPolicy)
async def test_while_nothing_ends_the_counts_are_those_of_the_policy(
    clockwork: Clockwork, policy: OverlapPolicy
) -> None:
    trigger = await made(clockwork, policy)

    await fire(clockwork, 4)

    assert await words(trigger) == POLICIES[policy]
    await assert_once(trigger)


@pytest.mark.parametrize("policy", OverlapPolicy)
async def test_when_each_has_ended_in_time_every_policy_starts_all(
    clockwork: Clockwork, policy: OverlapPolicy
) -> None:
    trigger = await made(clockwork, policy)

    for _ in range(3):
        await fire(clockwork, 1)
        await clockwork.end_open(trigger)

    assert await words(trigger) == ["STARTED"] * 3


async def test_the_newest_of_queue_one_starts_within_a_tick_of_the_end(
    clockwork: Clockwork,
) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ONE)
    await fire(clockwork, 4)
    rung = clockwork.bench.waker.count

    await clockwork.end_open(trigger)
    await clockwork.scheduler().tick()

    assert await words(trigger) == ["STARTED", "SKIPPED_OVERLAP", "SKIPPED_OVERLAP", "STARTED"]
    newest = await Execution.get(trigger_id=trigger.id, finished_at__isnull=True)
    assert newest.trigger_data == {"scheduledFor": "2026-09-01T16:00:00.000Z"}
    assert clockwork.bench.waker.count == rung + 1


async def test_queue_all_starts_one_after_the_other_in_their_order(clockwork: Clockwork) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ALL)
    await fire(clockwork, 4)
    ends = []

    for _ in range(4):
        await clockwork.scheduler().tick()
        ends += await clockwork.end_open(trigger)

    rows = await Firing.filter(trigger_id=trigger.id).order_by("scheduled_for")
    assert ends == [row.execution_id for row in rows]


async def test_a_new_time_does_not_overtake_what_waits(clockwork: Clockwork) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ALL)
    await fire(clockwork, 2)
    await clockwork.end_open(trigger)

    await fire(clockwork, 1)

    assert await words(trigger) == ["STARTED", "STARTED", "QUEUED"]


async def test_a_new_time_waits_behind_what_is_free_to_start_and_was_not_started_yet(
    clockwork: Clockwork,
) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ALL)
    await fire(clockwork, 2)
    await clockwork.end_open(trigger)
    three = BEGINNING.replace(hour=15, second=0)
    (due,) = await clockwork.scheduler().agenda.due(three, None)

    is_admitted = await overlaps(clockwork).admit(due.receiver, three, three)

    assert not is_admitted
    assert await words(trigger) == ["STARTED", "QUEUED", "QUEUED"]


async def test_at_most_a_hundred_wait(clockwork: Clockwork) -> None:
    trigger = await clockwork.trigger(
        "*/10 * * * *",
        overlap_policy=OverlapPolicy.QUEUE_ALL,
        missed_run_policy=MissedRunPolicy.RUN_ALL,
    )
    scheduler = clockwork.scheduler()

    for _ in range(2):
        clockwork.bench.clock.move(minutes=550)
        await scheduler.tick()

    counts = Counter(await words(trigger))
    assert counts == {"STARTED": 1, "QUEUED": MAX_WAITING, "SKIPPED_OVERLAP": 9}
    refused = await Firing.filter(trigger_id=trigger.id, outcome="SKIPPED_OVERLAP")
    assert {(row.error or {})["code"] for row in refused} == {"QUEUE_FULL"}


async def test_cancel_running_cancels_what_waits_and_asks_who_holds(clockwork: Clockwork) -> None:
    trigger = await made(clockwork, OverlapPolicy.CANCEL_RUNNING)
    await fire(clockwork, 1)
    held = await clockwork.bench.claim()

    await fire(clockwork, 2)

    assert await statuses(trigger) == {"RUNNING": 1, "CANCELLED": 1, "PENDING": 1}
    asked = await Execution.get(id=held.id)
    assert asked.cancel_requested_at is not None
    assert clockwork.bench.feed.rung.count(held.id) == 2


async def test_a_time_that_was_handled_cancels_nothing_any_more(
    clockwork: Clockwork,
) -> None:
    trigger = await made(clockwork, OverlapPolicy.CANCEL_RUNNING)
    await fire(clockwork, 1)
    by_hand = {"trigger_id": trigger.id, "trigger_type": TriggerType.MANUAL}
    await clockwork.bench.launch(Definition(steps=(transform("a"),)), **by_hand)

    await Trigger.filter(id=trigger.id).update(next_run_at=BEGINNING.replace(hour=13, second=0))
    await clockwork.scheduler().tick()

    assert await statuses(trigger) == {"PENDING": 2}


@pytest.mark.parametrize("status", ["WAITING", "PAUSED"])
async def test_an_execution_that_waits_or_is_paused_counts_as_running(
    clockwork: Clockwork, status: str
) -> None:
    trigger = await made(clockwork, OverlapPolicy.SKIP)
    await fire(clockwork, 1)
    (row,) = await Execution.all()
    if status == "PAUSED":
        await clockwork.bench.control.pause(row.workspace_id, row.id)
    else:
        await Execution.filter(id=row.id).update(status="WAITING", wait_reason="DELAY")

    await fire(clockwork, 1)

    assert await words(trigger) == ["STARTED", "SKIPPED_OVERLAP"]


async def test_what_another_trigger_runs_is_in_nobodys_way(clockwork: Clockwork) -> None:
    first, second = [await made(clockwork, OverlapPolicy.SKIP) for _ in range(2)]

    await fire(clockwork, 1)

    assert [await words(each) for each in (first, second)] == [["STARTED"], ["STARTED"]]


@pytest.mark.parametrize(
    "change", [{"is_active": False, "next_run_at": None}, {"type": "MANUAL", "next_run_at": None}]
)
async def test_what_waits_for_a_trigger_that_was_switched_off_never_starts(
    clockwork: Clockwork, change: dict[str, Any]
) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ALL)
    await fire(clockwork, 3)

    await Trigger.filter(id=trigger.id).update(**change)
    await clockwork.scheduler().tick()

    assert await words(trigger) == ["STARTED", "INACTIVE", "INACTIVE"]


async def test_what_waits_for_a_workflow_that_was_switched_off_never_starts(
    clockwork: Clockwork,
) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ALL)
    await fire(clockwork, 3)

    await Workflow.filter(id=clockwork.workflow.id).update(is_active=False)
    await clockwork.scheduler().tick()

    assert await words(trigger) == ["STARTED", "INACTIVE", "INACTIVE"]


async def test_what_waits_for_a_trigger_that_was_deleted_never_starts(
    clockwork: Clockwork,
) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ALL)
    await fire(clockwork, 3)

    await Trigger.filter(id=trigger.id).delete()
    await clockwork.scheduler().tick()

    assert await words(trigger) == ["STARTED", "INACTIVE", "INACTIVE"]


async def test_an_input_that_fits_no_longer_is_rejected_when_its_turn_comes(
    clockwork: Clockwork,
) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ONE)
    await fire(clockwork, 2)
    await Trigger.filter(id=trigger.id).update(input={"title": 1})

    await clockwork.end_open(trigger)
    await clockwork.scheduler().tick()

    assert await words(trigger) == ["STARTED", "REJECTED"]
    (row,) = await Firing.filter(outcome="REJECTED")
    assert (row.error or {})["details"]["errors"][0]["path"] == ["input", "title"]


async def test_a_late_scheduler_makes_the_same_of_each_time(clockwork: Clockwork) -> None:
    trigger = await made(clockwork, OverlapPolicy.QUEUE_ONE)
    await fire(clockwork, 3)

    await Trigger.filter(id=trigger.id).update(next_run_at=BEGINNING + timedelta(minutes=59.5))
    await clockwork.scheduler().tick()

    assert await words(trigger) == ["STARTED", "SKIPPED_OVERLAP", "QUEUED"]
