"""Proves that a process may end after any statement: every event is told, and told once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.api import Engine
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.endpoints.outbox import Outbox
from promptpilot.engine.launch import Launched, Launcher, LaunchRequest
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.news import News
from promptpilot.models import Execution, Firing, PlatformEvent, Trigger, Workflow
from tests.support.breaking import BreakingDatabase, Crash
from tests.support.clock import ManualClock
from tests.support.drafts import transform
from tests.support.listeners import dispatch, make_listener, make_schedule, outcomes
from tests.support.scene import Scene

#: More statements than dispatching an event to three triggers, or telling news, takes.
POINTS = range(1, 16)
PATIENCE_SECONDS = 6


class CrashingLauncher(Launcher):
    """Its process ends right after the start of so many executions."""

    left = 1

    async def launch(self, request: LaunchRequest) -> Launched:
        """Launch, then crash if it is time."""
        launched = await super().launch(request)
        self.left -= 1
        if self.left == 0:
            raise Crash
        return launched


def breaking(foundation: Foundation, statements: int) -> tuple[Engine, BreakingDatabase]:
    """Return an engine whose process ends after so many statements."""
    database = BreakingDatabase(foundation.database, statements)
    return assemble(replace(foundation, database=database)), database


async def listeners(engine: Engine, principal: Principal, workflow: Workflow) -> list[Trigger]:
    """Store a trigger for each outcome: started, filtered and rejected."""
    configs: tuple[dict[str, Any], ...] = (
        {},
        {"filter": "false"},
        {"input_mapping": {"count": "'no number'"}},
    )
    return [await make_listener(engine, principal, workflow, **each) for each in configs]


@pytest.mark.parametrize("point", POINTS)
async def test_a_dispatch_that_was_cut_off_is_finished_and_told_once(
    point: int, foundation: Foundation, engine: Engine, principal: Principal, workflow: Workflow
) -> None:
    told = await listeners(engine, principal, workflow)
    dying, _ = breaking(foundation, point)
    with pytest.raises(Crash):
        await _dispatch_forever(dying, principal)
    assert isinstance(foundation.clock, ManualClock)
    foundation.clock.move(seconds=PATIENCE_SECONDS)

    await engine.parts.dispatcher.finish_pending()
    again = await dispatch(engine, principal, idempotency_key="k1")

    events = await PlatformEvent.all().count()
    ended = [await outcomes(each) for each in told]
    assert ended == [["STARTED"] * events, ["FILTERED"] * events, ["REJECTED"] * events]
    assert await Execution.filter(id__in=again.execution_ids).count() == 1
    assert await Execution.all().count() == events


async def _dispatch_forever(engine: Engine, principal: Principal) -> None:
    """Dispatch one event after the other until the process ends."""
    number = 0
    while True:
        number += 1
        await dispatch(engine, principal, idempotency_key=f"k{number}")


@pytest.mark.parametrize("left", [1, 2, 3])
async def test_a_process_may_end_right_after_it_has_started_an_execution(
    left: int, engine: Engine, principal: Principal, workflow: Workflow, clock: ManualClock
) -> None:
    told = [await make_listener(engine, principal, workflow) for _ in range(3)]
    parts = engine.parts
    dying = CrashingLauncher(engine.database, parts.launcher._committer, parts.versions, clock)
    dying.left = left
    parts.dispatcher._launcher, whole = dying, parts.launcher
    with pytest.raises(Crash):
        await dispatch(engine, principal)

    parts.dispatcher._launcher = whole
    clock.move(seconds=PATIENCE_SECONDS)
    counts = [await parts.dispatcher.finish_pending() for _ in range(2)]

    assert [await outcomes(each) for each in told] == [["STARTED"]] * 3
    assert (counts, await Execution.all().count()) == ([1, 0], 3)


async def test_an_event_that_is_just_being_told_is_left_alone(
    engine: Engine, principal: Principal, clock: ManualClock
) -> None:
    done = await dispatch(engine, principal)
    await PlatformEvent.filter(id=done.event_id).update(dispatched_at=None)

    clock.move(seconds=PATIENCE_SECONDS - 2)

    assert await engine.parts.dispatcher.finish_pending() == 0


@pytest.mark.parametrize("point", POINTS)
async def test_news_that_were_cut_off_are_told_and_counted_once(
    point: int, scene: Scene, foundation: Foundation
) -> None:
    trigger = await scene.listen("execution.failed", filter="event.payload.triggerId != null")
    workflow = await scene.workflow(transform("a", value="1 / 0"))
    cause = await make_schedule(scene.engine, scene.principal, workflow)
    await _fail(scene, cause)
    dying, database = breaking(foundation, point)
    try:
        await _news(dying, database).tell()
    except Crash:
        scene.bench.clock.move(seconds=PATIENCE_SECONDS)

    await scene.new_news().tell()
    await scene.engine.parts.dispatcher.finish_pending()

    assert await PlatformEvent.filter(type="execution.failed").count() == 1
    assert await outcomes(trigger) == ["STARTED"]
    assert (await Trigger.get(id=cause.id)).consecutive_failures == 1
    assert await Firing.filter(trigger_id=trigger.id).count() == 1


async def _fail(scene: Scene, cause: Trigger) -> None:
    """Let a trigger start an execution that fails."""
    await scene.engine.run_trigger(scene.principal, cause.id)
    await scene.run_all()


def _news(engine: Engine, database: BreakingDatabase) -> News:
    return News(database, engine.parts.dispatcher, Outbox(engine.clock), engine.clock)
