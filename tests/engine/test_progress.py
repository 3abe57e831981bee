"""Proves that the steps of an execution are shown alike, whether they ended, run, wait or come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from promptpilot import ids
from promptpilot.engine.definition import RetryPolicy, Step
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.progress import StepView, step_views, step_views_of
from promptpilot.engine.step_configs import StepType
from promptpilot.errors import StepFailed
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import condition, transform
from tests.support.models import ScriptedModel, asking, workflow

NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
PATIENT = RetryPolicy(max_attempts=3)
A_SECOND = timedelta(seconds=1)


async def views(bench: Bench, execution_id: str) -> list[StepView]:
    """Return the steps as they are shown now."""
    return await step_views(await bench.stored(execution_id), bench.versions)


async def parked(bench: Bench) -> str:
    """Leave an execution between two attempts at its second step."""
    execution_id = await bench.launch(
        workflow(transform("a"), asking("b", retry=PATIENT), transform("c"))
    )
    runner = bench.runner(bench.tools_with(providers=ScriptedModel(NO).providers))
    async with bench.running(runner):
        await bench.until(execution_id, is_waiting)
    return execution_id


@asynccontextmanager
async def held(bench: Bench, *steps: Step) -> AsyncIterator[str]:
    """Leave an execution in the middle of the first step that asks a model."""
    execution_id = await bench.launch(workflow(*steps))
    gate = asyncio.Event()
    model = ScriptedModel(gate)
    async with bench.running(bench.runner(bench.tools_with(providers=model.providers))):
        await model.wait_for_call()
        yield execution_id
        gate.set()
        await bench.until(execution_id, is_final)


async def test_what_was_not_reached_is_pending(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(transform("a"), condition("b")))

    first, second = await views(bench, execution_id)

    assert (first.status, first.attempt, first.attempts) == (StepStatus.PENDING, 0, ())
    assert (second.path, second.position, second.name) == ("1", 1, "b")
    assert second.type is StepType.CONDITION
    assert second.id == ids.step_execution_id(execution_id, "1")
    assert (second.started_at, second.finished_at, second.wake_at) == (None, None, None)


async def test_the_step_in_hand_is_running(bench: Bench) -> None:
    async with held(bench, transform("a"), asking("b"), transform("c")) as execution_id:
        statuses = [each.status for each in await views(bench, execution_id)]
        view = (await views(bench, execution_id))[1]

    assert statuses == ["COMPLETED", "RUNNING", "PENDING"]
    assert (view.attempt, view.started_at) == (1, bench.clock.now())
    (attempt,) = view.attempts
    assert (attempt.number, attempt.status, attempt.finished_at) == (1, "RUNNING", None)


async def test_a_step_between_two_attempts_waits(bench: Bench) -> None:
    execution_id = await parked(bench)

    view = (await views(bench, execution_id))[1]

    row = await bench.stored(execution_id)
    assert (view.status, view.attempt, view.wake_at) == ("WAITING", 1, row.ready_at)
    assert view.started_at == bench.clock.now()
    (attempt,) = view.attempts
    assert (attempt.status, attempt.next_attempt_at) == ("FAILED", row.ready_at)
    assert [call["isSuccessful"] for call in view.model_calls] == [False]


async def test_all_attempts_at_a_step_are_shown(bench: Bench) -> None:
    execution_id = await parked(bench)
    bench.clock.move(seconds=2)

    await bench.finish(execution_id)

    view = (await views(bench, execution_id))[1]
    assert (view.status, view.attempt) == ("COMPLETED", 2)
    assert [(each.number, each.status) for each in view.attempts] == [
        (1, "FAILED"), (2, "COMPLETED")
    ]  # fmt: skip
    assert [call["attempt"] for call in view.model_calls] == [1, 2]
    assert view.attempts[0].error is not None
    assert view.finished_at is not None
    assert view.started_at is not None
    assert view.finished_at - view.started_at == 2 * A_SECOND


async def test_a_lost_attempt_is_shown_beside_the_running_one(bench: Bench) -> None:
    async with held(bench, asking()) as execution_id:
        bench.clock.move(seconds=15)
        gate = asyncio.Event()
        model = ScriptedModel(gate)
        tools = bench.tools_with(providers=model.providers)
        async with bench.running(bench.runner(tools, owner="w2")):
            bench.waker.wake()
            await model.wait_for_call()
            (view,) = await views(bench, execution_id)
            gate.set()
            await bench.until(execution_id, is_final)

    assert (view.status, view.attempt) == ("RUNNING", 2)
    assert [(each.number, each.status) for each in view.attempts] == [(1, "FAILED"), (2, "RUNNING")]
    assert (view.attempts[0].error or {})["code"] == "WORKER_LOST"


async def test_a_handed_over_step_is_shown_as_running(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    model = ScriptedModel(asyncio.Event())
    async with bench.running(bench.runner(bench.tools_with(providers=model.providers))):
        await model.wait_for_call()

    (view,) = await views(bench, execution_id)

    assert (view.status, view.attempt) == ("RUNNING", 1)
    assert [each.status for each in view.attempts] == ["FAILED"]


async def test_what_was_left_out_says_why(bench: Bench) -> None:
    guarded = replace(transform("a"), run_if="false")
    steps = (guarded, condition("b", then_step="d"), transform("c"), transform("d"))
    execution_id = await bench.launch(workflow(*steps))

    await bench.finish(execution_id)

    shown = [(each.status, each.skip_reason) for each in await views(bench, execution_id)]
    assert shown == [
        ("SKIPPED", "GUARD"), ("COMPLETED", None), ("SKIPPED", "BRANCH"), ("COMPLETED", None)
    ]  # fmt: skip


async def test_results_and_inputs_are_shown(bench: Bench) -> None:
    step = replace(transform("a", x="vars.i + 1"), inputs={"i": "1"})
    execution_id = await bench.launch(workflow(step))

    await bench.finish(execution_id)

    (view,) = await views(bench, execution_id)
    assert (view.input, view.output, view.error) == ({"i": 1}, {"x": 2}, None)


async def test_a_step_cancelled_between_two_attempts_is_shown_as_cancelled(bench: Bench) -> None:
    execution_id = await parked(bench)

    await bench.control.cancel(bench.workspace_id, execution_id, None)

    shown = await views(bench, execution_id)
    assert [each.status for each in shown] == ["COMPLETED", "CANCELLED", "PENDING"]
    assert (shown[1].attempt, len(shown[1].attempts)) == (1, 1)


async def test_what_a_failed_execution_did_not_reach_stays_pending(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(transform("a", x="input.nope"), transform("b")))

    await bench.finish(execution_id)

    shown = await views(bench, execution_id)
    assert [each.status for each in shown] == ["FAILED", "PENDING"]
    assert shown[0].error is not None


async def test_several_executions_are_shown_at_once(bench: Bench) -> None:
    ids = [await bench.launch(workflow(transform("a"))) for _ in range(3)]
    await bench.finish(ids[0])
    rows = [await bench.stored(each) for each in ids]

    shown = await step_views_of(rows, bench.versions)

    assert list(shown) == ids
    assert all(each.execution_id == key for key, found in shown.items() for each in found)


async def test_columns_that_are_left_out_are_shown_as_empty(bench: Bench) -> None:
    execution = await bench.stored(await parked(bench))

    left_out = frozenset({"output", "error"})
    (shown,) = (await step_views_of([execution], bench.versions, left_out)).values()
    whole = await step_views(execution, bench.versions)

    assert (whole[0].output is None, whole[1].attempts[0].error is None) == (False, False)
    attempts = (replace(whole[1].attempts[0], error=None),)
    assert shown[0] == replace(whole[0], output=None, attempts=shown[0].attempts)
    assert shown[1] == replace(whole[1], error=None, attempts=attempts)
