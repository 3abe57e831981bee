"""Proves through the driver and the tables how often models are called, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.definition import RetryPolicy, Step
from promptpilot.engine.previews import INLINE_BYTES
from promptpilot.engine.step_configs import PromptConfig
from promptpilot.errors import StepFailed
from promptpilot.models import Execution, StepAttempt, StepExecution
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.models import Answer, ScriptedModel, asking, workflow

NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
THREE = RetryPolicy(max_attempts=3)


def with_models(step: Step, count: int, **parameters: Any) -> Step:
    """Return the step with so many models and their parameters."""
    assert isinstance(step.config, PromptConfig)
    (target,) = step.config.models
    models = (replace(target, parameters=parameters),) * count
    return replace(step, config=replace(step.config, models=models))


async def run(bench: Bench, model: ScriptedModel, step: Step) -> Execution:
    """Run an execution of one step to its end, past the waits between its attempts."""
    execution_id = await bench.launch(workflow(step))
    async with bench.running(bench.runner(bench.tools_with(providers=model.providers))):
        row = await bench.until(execution_id, rests_after(0))
        while not is_final(row):
            bench.clock.move(seconds=60)
            bench.waker.wake()
            row = await bench.until(execution_id, rests_after(row.fence))
    return row


def rests_after(fence: int) -> Callable[[Execution], bool]:
    """Return whether an execution has ended, or waits after a later claim than `fence`."""
    return lambda row: is_final(row) or (is_waiting(row) and row.fence > fence)


async def calls_of(execution: Execution) -> list[dict[str, Any]]:
    """Return the calls of all attempts as they are stored, oldest first."""
    attempts = await StepAttempt.filter(execution_id=execution.id).order_by("number")
    (step,) = await StepExecution.filter(execution_id=execution.id)
    kept = [each.model_calls for each in attempts] + [step.model_calls]
    return [call for calls in kept for call in calls or []]


async def test_three_attempts_make_exactly_three_calls_with_one_key(bench: Bench) -> None:
    model = ScriptedModel(NO)

    row = await run(bench, model, asking(retry=THREE))

    calls = await calls_of(row)
    assert row.status == "FAILED"
    assert [each["attempt"] for each in calls] == [1, 2, 3]
    assert len(model.asked) == 3
    assert len(set(model.keys)) == 1


@pytest.mark.parametrize("answer", [NO, "no json"], ids=["refused", "not as asked"])
async def test_without_a_retry_exactly_one_call_is_made(bench: Bench, answer: Answer) -> None:
    model = ScriptedModel(answer)

    row = await run(bench, model, with_models(asking(), 1, responseFormat="JSON_OBJECT"))

    assert row.status == "FAILED"
    assert (len(await calls_of(row)), len(model.asked)) == (1, 1)


async def test_an_answer_is_repaired_in_the_next_attempt(bench: Bench) -> None:
    model = ScriptedModel("no json", '```json\n{"a": 1}\n```')
    step = with_models(asking(retry=THREE), 1, responseFormat="JSON_OBJECT")

    row = await run(bench, model, step)

    assert (row.status, (row.output or {})["json"]) == ("COMPLETED", {"a": 1})
    assert model.keys[1] == f"{model.keys[0]}:repair"
    assert [turn.content for turn in model.asked[1].turns] == ["Hi", "no json"]
    assert (row.prompt_tokens, row.cost_micros) == (4, 6)


async def test_nobody_who_answered_is_paid_twice(bench: Bench) -> None:
    model = ScriptedModel("one", NO, NO, "two")

    row = await run(bench, model, with_models(asking(retry=THREE), 2))

    assert [each["text"] for each in (row.output or {})["results"]] == ["one", "two"]
    assert [each["index"] for each in await calls_of(row)] == [0, 1, 1, 1]
    assert (row.prompt_tokens, row.cost_micros) == (4, 6)


async def test_an_answer_that_was_stored_in_part_is_asked_for_again(bench: Bench) -> None:
    large = "x" * (INLINE_BYTES + 1)
    model = ScriptedModel(large, NO, large, "two")

    row = await run(bench, model, with_models(asking(retry=THREE), 2))

    calls = await calls_of(row)
    assert (row.status, len(model.asked)) == ("COMPLETED", 4)
    assert [each.get("isCut", False) for each in calls] == [True, False, True, False]


async def test_calls_that_were_over_in_time_are_kept_of_an_attempt_that_took_too_long(
    bench: Bench,
) -> None:
    model = ScriptedModel("one", asyncio.Event(), "two")
    step = replace(with_models(asking(retry=THREE), 2), timeout_seconds=1)

    row = await run(bench, model, step)

    assert (row.status, len(model.asked)) == ("COMPLETED", 3)
    assert [each["outputText"] for each in await calls_of(row)] == ["one", "two"]
    assert row.cost_micros == 6


async def test_earlier_answers_stand_after_a_worker_was_lost(bench: Bench) -> None:
    model = ScriptedModel("one", NO, asyncio.Event(), "two")
    execution_id = await bench.launch(workflow(with_models(asking(retry=THREE), 2)))
    tools = bench.tools_with(providers=model.providers)
    async with bench.running(bench.runner(tools)) as lost:
        await bench.until(execution_id, is_waiting)
        bench.clock.move(seconds=60)
        bench.waker.wake()
        await model.wait_for_call(3)
        await lost.drain(timedelta(0))

    row = await bench.finish(execution_id, bench.runner(tools))

    assert (row.status, len(model.asked)) == ("COMPLETED", 4)
    assert [each["outputText"] for each in await calls_of(row)] == ["one", None, "two"]
