"""Proves that failures in a row are counted once each, and that a schedule of failures pauses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptpilot.clock import from_ms
from promptpilot.engine.drafts import TriggerChange
from promptpilot.models import Execution, Trigger
from tests.schema.rows import execution_row
from tests.support.clock import BEGINNING
from tests.support.drafts import transform
from tests.support.listeners import make_schedule
from tests.support.scene import Scene

FAILED = {"code": "HTTP_5XX", "message": "The other server answered 503.", "isRetryable": True}
LETTERS = {"C": "COMPLETED", "F": "FAILED", "X": "CANCELLED"}
_instants = count(1)


async def schedule(scene: Scene, limit: int | None = 3) -> Trigger:
    """Store a schedule that pauses after so many failures in a row."""
    workflow = await scene.workflow(transform("a"))
    return await make_schedule(scene.engine, scene.principal, workflow, pause_after_failures=limit)


async def end(scene: Scene, trigger: Trigger, letters: str) -> None:
    """Store executions of a trigger that ended so, one after the other, and were not told."""
    await Execution.bulk_create([_ended(scene, trigger, LETTERS[each]) for each in letters])


def _ended(scene: Scene, trigger: Trigger, status: str) -> Execution:
    at = next(_instants)
    columns: dict[str, Any] = {"status": status, "trigger_id": trigger.id, "news_at": from_ms(at)}
    if status != "COMPLETED":
        columns |= {"output": None, "error": FAILED if status == "FAILED" else None}
    return execution_row(scene.principal, 0, at, **columns)


async def stored(trigger: Trigger) -> Trigger:
    """Return the trigger as it is now."""
    return await Trigger.get(id=trigger.id)


@pytest.mark.parametrize(
    ("letters", "expected"),
    [("F", 1), ("FF", 2), ("FC", 0), ("FCF", 1), ("CFF", 2), ("FXF", 2), ("X", 0), ("C", 0)],
)
async def test_failures_are_counted_since_the_last_success(
    letters: str, expected: int, scene: Scene
) -> None:
    trigger = await schedule(scene, limit=None)
    await end(scene, trigger, letters)

    await scene.new_news().tell()

    row = await stored(trigger)
    assert (row.consecutive_failures, row.is_active, row.revision) == (expected, True, 1)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(loads=st.lists(st.text("CFX", max_size=5), max_size=4))
async def test_the_count_is_that_of_all_ends_in_their_order(loads: list[str], scene: Scene) -> None:
    trigger = await schedule(scene, limit=None)

    for letters in loads:
        await end(scene, trigger, letters)
        await scene.new_news().tell()

    ends = "".join(loads).replace("X", "")
    assert (await stored(trigger)).consecutive_failures == len(ends) - len(ends.rstrip("F"))


async def test_several_tellers_at_once_count_each_failure_once(scene: Scene) -> None:
    first, second = await schedule(scene, limit=None), await schedule(scene, limit=None)
    for _ in range(10):
        await end(scene, first, "F")
        await end(scene, second, "F")

    await asyncio.gather(*(scene.new_news().tell() for _ in range(4)))

    counts = [(await stored(each)).consecutive_failures for each in (first, second)]
    assert counts == [10, 10]


async def test_a_schedule_that_only_fails_is_paused_and_says_why(scene: Scene) -> None:
    trigger = await schedule(scene)
    await end(scene, trigger, "FF")
    await scene.new_news().tell()
    assert (await stored(trigger)).is_active

    await end(scene, trigger, "F")
    await scene.new_news().tell()

    row = await stored(trigger)
    assert (row.is_active, row.next_run_at, row.consecutive_failures) == (False, None, 3)
    assert (row.revision, row.updated_at) == (2, BEGINNING)
    assert row.paused_reason == (
        "Its executions failed 3 times in a row; the last error was HTTP_5XX: The other server "
        "answered 503."
    )


async def test_a_limit_that_was_reached_in_between_pauses_all_the_same(scene: Scene) -> None:
    trigger = await schedule(scene)
    await end(scene, trigger, "FFFC")

    await scene.new_news().tell()

    row = await stored(trigger)
    assert (row.is_active, row.consecutive_failures) == (False, 0)


async def test_failures_after_the_pause_are_counted_and_change_nothing_else(scene: Scene) -> None:
    trigger = await schedule(scene)
    await end(scene, trigger, "FFF")
    await scene.new_news().tell()
    paused = await stored(trigger)

    await end(scene, trigger, "F")
    await scene.new_news().tell()

    row = await stored(trigger)
    assert (row.consecutive_failures, row.revision) == (4, paused.revision)
    assert row.paused_reason == paused.paused_reason


@pytest.mark.parametrize("kind", ["no limit", "switched off", "other type"])
async def test_what_is_no_schedule_with_a_limit_is_not_paused(kind: str, scene: Scene) -> None:
    trigger = await schedule(scene, limit=None if kind == "no limit" else 3)
    if kind == "switched off":
        change = TriggerChange(id=trigger.id, is_active=False)
        await scene.engine.update_trigger(scene.principal, change)
    if kind == "other type":
        trigger = await scene.listen("execution.failed", filter="false")
    await end(scene, trigger, "F" * 12)

    await scene.new_news().tell()

    row = await stored(trigger)
    assert (row.paused_reason, row.consecutive_failures) == (None, 12)
    assert row.is_active is (kind != "switched off")


async def test_a_paused_schedule_goes_on_with_its_next_time_and_a_new_count(scene: Scene) -> None:
    trigger = await schedule(scene)
    await end(scene, trigger, "FFF")
    await scene.new_news().tell()
    scene.bench.clock.move(days=5)

    change = TriggerChange(id=trigger.id, is_active=True)
    await scene.engine.update_trigger(scene.principal, change)

    row = await stored(trigger)
    assert (row.is_active, row.paused_reason, row.consecutive_failures) == (True, None, 0)
    assert row.next_run_at == datetime(2026, 9, 7, 12, tzinfo=UTC)


async def test_an_execution_that_really_fails_is_counted(scene: Scene) -> None:
    workflow = await scene.workflow(transform("a", value="1 / 0"))
    trigger = await make_schedule(scene.engine, scene.principal, workflow, pause_after_failures=1)
    await scene.engine.run_trigger(scene.principal, trigger.id)
    await scene.run_all()

    await scene.new_news().tell()

    row = await stored(trigger)
    assert "failed 1 time in a row; the last error was EXPRESSION_ERROR" in (
        row.paused_reason or ""
    )


async def test_a_trigger_that_was_deleted_is_no_hindrance(scene: Scene) -> None:
    trigger = await schedule(scene)
    await end(scene, trigger, "F")
    await scene.engine.delete_trigger(scene.principal, trigger.id)

    assert [await scene.new_news().tell() for _ in range(2)] == [1, 0]
