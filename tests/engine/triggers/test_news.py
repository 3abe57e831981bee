"""Proves that triggers hear once of every end and every question of an execution."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from promptpilot import ids
from promptpilot.engine.endpoints.outbox import Outbox
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.dispatch import Dispatcher
from promptpilot.engine.triggers.news import BATCH, News
from promptpilot.models import (
    Execution,
    ExecutionEvent,
    Firing,
    PlatformEvent,
    StepExecution,
)
from tests.schema.rows import execution_row
from tests.support.clock import BEGINNING
from tests.support.drafts import transform
from tests.support.listeners import outcomes
from tests.support.scene import Scene, told
from tests.support.waits import deciding

ASK = replace(deciding(), id="")
ENDS = "EXECUTION_STATUS_CHANGED"


async def test_an_end_starts_the_workflows_that_listen_for_it(scene: Scene) -> None:
    trigger = await scene.listen("execution.completed")
    execution = await scene.play(transform("a"))

    assert await scene.new_news().tell() == 1

    (event,) = await told()
    assert (event.depth, event.actor_id, event.dispatched_at) == (1, None, BEGINNING)
    started = await Execution.get(trigger_id=trigger.id)
    assert (started.depth, started.trigger_type, started.started_by) == (1, "EVENT", None)
    assert (await Execution.get(id=execution.id)).news_at is None


async def test_an_end_is_told_with_what_became_of_the_execution(scene: Scene) -> None:
    await scene.listen("execution.completed")
    execution = await scene.play(transform("a", value="7"))

    await scene.new_news().tell()

    (event,) = await told()
    named = {"executionId": execution.id, "workflowId": execution.workflow_id}
    cause = {"workflowName": "Told", "triggerId": None, "triggerType": "MANUAL"}
    end = {"status": "COMPLETED", "error": None, "output": execution.output, "isOutputCut": False}
    assert event.payload == {**named, **cause, **end}


@pytest.mark.parametrize(("source", "outcome"), [("server", "STARTED"), ("user", "FILTERED")])
async def test_a_filter_sees_who_dispatched_and_why_it_failed(
    source: str, outcome: str, scene: Scene
) -> None:
    test = f"event.source == '{source}' && event.payload.error.code == 'EXPRESSION_ERROR'"
    trigger = await scene.listen("execution.*", filter=test)
    await scene.play(transform("a", value="1 / 0"))

    await scene.new_news().tell()

    assert [each.type for each in await told()] == ["execution.failed"]
    assert await outcomes(trigger) == [outcome]


async def test_a_cancellation_is_told(scene: Scene) -> None:
    trigger = await scene.listen("execution.cancelled")
    execution = await scene.start(transform("a"))
    await scene.engine.cancel_execution(scene.principal, execution.id)

    await scene.new_news().tell()

    assert [each.type for each in await told()] == ["execution.cancelled"]
    assert await outcomes(trigger) == ["STARTED"]


async def test_a_question_is_told_while_it_waits(scene: Scene) -> None:
    await scene.listen("execution.decision_required")
    execution = await scene.play(ASK)

    assert [await scene.new_news().tell() for _ in range(2)] == [1, 0]

    (event,) = await told()
    assert event.payload["stepExecutionId"] == ids.step_execution_id(execution.id, "0")
    assert (event.payload["stepName"], event.payload["status"]) == ("ask", "WAITING")
    assert event.payload["question"] == "Go on?"
    assert event.payload["choices"] == ["approve", "reject"]


@pytest.mark.parametrize("tells_first", ["at once", "later"])
async def test_a_question_and_its_end_are_each_told_once_in_order(
    tells_first: str, scene: Scene
) -> None:
    await scene.listen("execution.*", filter="false")
    execution = await scene.play(ASK)
    if tells_first == "at once":
        await scene.new_news().tell()
    step_id = ids.step_execution_id(execution.id, "0")
    await scene.engine.submit_decision(scene.principal, step_id, "reject")
    await scene.bench.finish(execution.id)

    await scene.new_news().tell()

    types = [each.type for each in await told()]
    assert types == ["execution.decision_required", "execution.completed"]


async def test_a_step_that_waits_for_its_retry_asks_nobody(scene: Scene) -> None:
    await scene.listen("execution.decision_required")
    row = execution_row(scene.principal, 0, 1, last_seq=2, news_at=BEGINNING)
    await row.save()
    await StepExecution.bulk_create([_decision(row)])
    retry = _event(row, seq=1, kind="STEP_RETRY_SCHEDULED", path="0")
    waiting = _event(row, seq=2, kind="STEP_STATUS_CHANGED", path="0", to_status="WAITING")
    await ExecutionEvent.bulk_create([retry, waiting])

    await scene.new_news().tell()

    assert await told() == []


@pytest.mark.parametrize("pattern", [None, "order.*", "execution.failed", "execution.complete"])
async def test_what_nobody_could_hear_is_not_stored(pattern: str | None, scene: Scene) -> None:
    if pattern is not None:
        await scene.listen(pattern)
    execution = await scene.play(transform("a"))

    counts = [await scene.new_news().tell() for _ in range(2)]

    row = await Execution.get(id=execution.id)
    assert (counts, await told(), await Firing.exists()) == ([1, 0], [], False)
    assert (row.news_at, row.told_seq) == (None, row.last_seq)


async def test_nobody_of_another_workspace_hears(scene: Scene, stranger: Principal) -> None:
    await scene.listen("execution.*")
    row = execution_row(stranger, 0, 1, last_seq=1, news_at=BEGINNING)
    await row.save()
    await _event(row, to_status="COMPLETED").save()

    assert await scene.new_news().tell() == 1

    assert await told() == []


async def test_of_a_large_output_the_beginning_is_told(scene: Scene) -> None:
    await scene.listen("execution.completed")
    output = {"text": "x" * 20_000}
    row = execution_row(scene.principal, 0, 1, output=output, last_seq=1, news_at=BEGINNING)
    await row.save()
    await _event(row, to_status="COMPLETED").save()

    await scene.new_news().tell()

    (event,) = await told()
    assert event.payload["isOutputCut"]
    assert len(event.payload["output"]["text"]) < 16 * 1024


async def test_several_tellers_at_once_tell_each_end_once(scene: Scene) -> None:
    trigger = await scene.listen("execution.completed")
    for _ in range(12):
        await scene.start(transform("a"))
    await scene.run_all()
    tellers = [scene.new_news() for _ in range(4)]

    counts = await asyncio.gather(*(each.tell() for each in tellers))

    assert (sum(counts), len(await told())) == (12, 12)
    assert await outcomes(trigger) == ["STARTED"] * 12


class Meeting(Dispatcher):
    """Tells nobody of an event before another one is told as well."""

    def __init__(self) -> None:
        self._barrier = asyncio.Barrier(2)

    async def tell(self, event: PlatformEvent) -> None:
        """Wait for the other one."""
        await self._barrier.wait()


async def test_no_event_waits_for_another_to_be_told(scene: Scene) -> None:
    await scene.listen("execution.completed")
    await scene.play(transform("a"))
    await scene.play(transform("a"))

    async with asyncio.timeout(5):
        count = await News(
            scene.engine.database, Meeting(), Outbox(scene.engine.clock), scene.engine.clock
        ).tell()

    assert count == 2


async def test_more_news_than_a_batch_are_told_batch_by_batch(scene: Scene) -> None:
    rows = [execution_row(scene.principal, 0, 1, news_at=BEGINNING) for _ in range(BATCH + 5)]
    await Execution.bulk_create(rows)
    news = scene.new_news()

    assert [await news.tell() for _ in range(3)] == [BATCH, 5, 0]


async def test_a_workflow_that_starts_itself_is_stopped(scene: Scene) -> None:
    trigger = await scene.listen("execution.completed")
    await scene.engine.start_execution(scene.principal, trigger.workflow_id)

    await scene.settle()

    depths = sorted([row.depth for row in await Execution.all()])
    assert depths == list(range(9))
    guarded = await Firing.get(trigger_id=trigger.id, outcome="REJECTED")
    assert (guarded.error or {})["code"] == "LOOP_GUARD"
    assert max(each.depth for each in await told()) == 9


async def test_the_guard_says_nothing_where_a_filter_has_said_no(scene: Scene) -> None:
    quiet = await scene.listen("execution.completed", filter="false")
    row = execution_row(scene.principal, 0, 1, depth=8, last_seq=1, news_at=BEGINNING)
    await row.save()
    await _event(row, to_status="COMPLETED").save()

    await scene.new_news().tell()

    assert await outcomes(quiet) == ["FILTERED"]


async def test_what_a_trigger_started_is_told_with_its_trigger(scene: Scene) -> None:
    trigger = await scene.listen("execution.*")
    await scene.engine.run_trigger(scene.principal, trigger.id)
    await scene.run_all()

    await scene.new_news().tell()

    (event,) = await told()
    assert (event.payload["triggerId"], event.payload["triggerType"]) == (trigger.id, "MANUAL")


def _event(execution: Execution, seq: int = 1, kind: str = ENDS, **others: str) -> ExecutionEvent:
    """Make an event of an execution that ended."""
    at = execution.created_at
    return ExecutionEvent(execution_id=execution.id, seq=seq, kind=kind, at=at, **others)


def _decision(execution: Execution) -> StepExecution:
    """Make the DECISION step of an execution that ended."""
    return StepExecution(
        execution_id=execution.id,
        path="0",
        position=0,
        step_id="st",
        step_name="ask",
        step_type="DECISION",
        status="COMPLETED",
        attempt=1,
        fence=1,
        finished_at=execution.finished_at,
        cost_micros=0,
    )
