"""Proves that what models answered is kept when their step is cut off in the middle of its work."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from promptpilot.engine.definition import RetryPolicy, Step, UnknownOutcomePolicy
from promptpilot.engine.lease import Lease, monotonic
from promptpilot.engine.step_configs import PromptConfig
from promptpilot.errors import StepFailed
from promptpilot.models import Execution, StepAttempt, StepExecution
from tests.support.bench import Bench, is_final
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.waits import cancel

NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
RETRY, FAIL = UnknownOutcomePolicy.RETRY, UnknownOutcomePolicy.FAIL


def asking_two(policy: UnknownOutcomePolicy = RETRY) -> Step:
    """Make a step that asks the model twice, one call after the other."""
    step = asking(on_unknown_outcome=policy)
    assert isinstance(step.config, PromptConfig)
    routing = replace(step.config.routing, concurrency=1)
    config = replace(step.config, models=step.config.models * 2, routing=routing)
    return replace(step, config=config)


async def stopped(bench: Bench, model: ScriptedModel, step: Step) -> str:
    """Let a worker that is told to stop at once give up a step at its second call."""
    execution_id = await bench.launch(workflow(step))
    tools = bench.tools_with(providers=model.providers)
    async with bench.running(bench.runner(tools)) as runner:
        await model.wait_for_call(2)
        await runner.drain(timedelta(0))
    return execution_id


async def test_a_worker_that_stops_leaves_what_was_answered(bench: Bench) -> None:
    model = ScriptedModel("one", asyncio.Event(), "two")
    execution_id = await stopped(bench, model, asking_two())

    row = await bench.finish(
        execution_id, bench.runner(bench.tools_with(providers=model.providers))
    )

    (attempt,) = await StepAttempt.filter(execution_id=execution_id)
    assert [each["text"] for each in (row.output or {})["results"]] == ["one", "two"]
    assert (len(model.asked), row.cost_micros, row.prompt_tokens) == (3, 6, 4)
    assert [each["outputText"] for each in attempt.model_calls or []] == ["one"]


async def test_a_cancelled_step_shows_what_it_said_and_what_was_answered(bench: Bench) -> None:
    model = ScriptedModel("one", asyncio.Event())
    execution_id = await bench.launch(workflow(asking_two()))
    tools = bench.tools_with(providers=model.providers)

    async with bench.running(bench.runner(tools)):
        await model.wait_for_call(2)
        await cancel(bench, execution_id)
        row = await bench.until(execution_id, is_final)

    (step,) = await StepExecution.filter(execution_id=execution_id)
    assert (row.status, row.cost_micros, row.prompt_tokens) == ("CANCELLED", 3, 2)
    assert [each["outputText"] for each in step.model_calls or []] == ["one"]
    assert (step.status, step.input["content"]) == ("CANCELLED", "Hi")


async def test_a_step_that_happens_once_shows_what_was_answered(bench: Bench) -> None:
    model = ScriptedModel("one", asyncio.Event())

    execution_id = await stopped(bench, model, asking_two(FAIL))

    row = await Execution.get(id=execution_id)
    (step,) = await StepExecution.filter(execution_id=execution_id)
    assert (row.status, row.cost_micros) == ("FAILED", 3)
    assert (step.error or {})["code"] == "WORKER_LOST"
    assert [each["outputText"] for each in step.model_calls or []] == ["one"]


async def test_a_cancellation_before_the_wait_for_a_retry_keeps_what_was_answered(
    bench: Bench,
) -> None:
    gate = asyncio.Event()
    model = ScriptedModel("one", gate, then=NO)
    step = replace(asking_two(), retry=RetryPolicy(max_attempts=3))
    execution_id = await bench.launch(workflow(step))
    claimed = await bench.claim()
    lease = Lease(claimed, timedelta(seconds=15), monotonic())
    tools = bench.tools_with(providers=model.providers)
    driving = asyncio.create_task(bench.drive(claimed, lease, tools))
    await model.wait_for_call(2)

    await cancel(bench, execution_id)
    gate.set()
    await driving

    row, (stored,) = await bench.stored(execution_id), await StepExecution.all()
    assert (row.status, row.cost_micros) == ("CANCELLED", 3)
    assert [each["outputText"] for each in stored.model_calls or []] == ["one", None]
