"""Proves how executions go from step to step, and how each kind of failure is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from promptpilot.engine.definition import (
    DataType,
    Definition,
    RetryPolicy,
    Step,
    Variable,
    VariableKind,
)
from promptpilot.engine.launch import LaunchRequest
from promptpilot.engine.step_configs import ModelProvider, ModelTarget, PromptConfig, StepType
from promptpilot.engine.steps.base import Done, StepContext
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.errors import StepFailed
from promptpilot.models import DeadLetter, Execution, StepAttempt, StepExecution
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import condition, transform, variable
from tests.support.models import ScriptedModel, asking, workflow

NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
PATIENT = RetryPolicy(max_attempts=3)


class Stub:
    """Does the work of every TRANSFORM step as told."""

    def __init__(self, result: Any) -> None:
        self.result = result

    async def run(self, context: StepContext) -> Done:
        """Return the result, or raise it."""
        if isinstance(self.result, Exception):
            raise self.result
        return Done(self.result)


async def steps_of(execution_id: str) -> list[StepExecution]:
    """Return the stored steps in order."""
    return await StepExecution.filter(execution_id=execution_id).order_by("position")


async def run_with(bench: Bench, model: ScriptedModel, *steps: Step, **request: Any) -> str:
    """Run an execution with a model until it is final; return its id."""
    execution_id = await bench.launch(Definition(steps), **request)
    runner = bench.runner(bench.tools_with(providers=model.providers))
    await bench.finish(execution_id, runner)
    return execution_id


async def run_stubbed(bench: Bench, result: Any, *steps: Step) -> str:
    """Run an execution whose TRANSFORM steps do as told; return its id."""
    execution_id = await bench.launch(Definition(steps or (transform("a"),)))
    tools = bench.tools_with(executors={StepType.TRANSFORM: Stub(result)})
    await bench.finish(execution_id, bench.runner(tools))
    return execution_id


async def test_steps_read_the_input_and_the_results_before_them(bench: Bench) -> None:
    steps = (transform("a", x="input.n + 1"), transform("b", y="steps.a.output.x * 2"))
    inputs = (variable("n", DataType.NUMBER),)

    row = await bench.finish(await bench.launch(Definition(steps, inputs), input={"n": 1}))

    assert (row.status, row.output) == ("COMPLETED", {"y": 4})


async def test_the_whole_story_is_told(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(transform("a", x="1"), transform("b", y="2")))

    row = await bench.finish(execution_id)

    assert (row.status, row.output, row.position) == ("COMPLETED", {"y": 2}, 2)
    assert await bench.story(execution_id) == [
        "PENDING", "RUNNING", "0#1 RUNNING", "0#1 COMPLETED", "1#1 RUNNING", "1#1 COMPLETED",
        "COMPLETED",
    ]  # fmt: skip
    assert bench.feed.rung.count(execution_id) == 3


async def test_branches_and_guards_leave_steps_out(bench: Bench) -> None:
    steps = (
        condition("a", "true", then_step="c"),
        transform("b"),
        replace(transform("c"), run_if="false"),
        transform("d"),
    )
    execution_id = await bench.launch(workflow(*steps))

    await bench.finish(execution_id)

    rows = await steps_of(execution_id)
    assert [(row.status, row.skip_reason) for row in rows] == [
        ("COMPLETED", None), ("SKIPPED", "BRANCH"), ("SKIPPED", "GUARD"), ("COMPLETED", None)
    ]  # fmt: skip
    assert (await bench.story(execution_id))[3:7] == [
        "0#1 COMPLETED", "1#0 SKIPPED", "2#0 SKIPPED", "3#1 RUNNING"
    ]  # fmt: skip


async def test_an_execution_without_steps_completes(bench: Bench) -> None:
    execution_id = await bench.launch(workflow())

    await bench.finish(execution_id)

    assert await bench.story(execution_id) == ["PENDING", "RUNNING", "COMPLETED"]


async def test_a_failed_step_fails_the_execution(bench: Bench) -> None:
    execution_id = await run_with(bench, ScriptedModel(NO), asking(), transform("b"))

    row = await bench.stored(execution_id)
    assert row.error is not None
    assert (row.status, row.error["code"]) == ("FAILED", "PROVIDER_RATE_LIMITED")
    assert row.error["details"] == {"stepName": "a"}
    assert (await bench.story(execution_id))[-2:] == ["0#1 FAILED", "FAILED"]
    assert [each.execution_id for each in await DeadLetter.all()] == [execution_id]


async def test_what_a_person_started_opens_no_dead_letter(bench: Bench) -> None:
    await run_with(bench, ScriptedModel(NO), asking(), trigger_type=TriggerType.MANUAL)

    assert await DeadLetter.all() == []


async def test_a_failed_step_may_be_passed(bench: Bench) -> None:
    steps = asking(continue_on_error=True), transform("b", x="steps.a.error.code")

    execution_id = await run_with(bench, ScriptedModel(NO), *steps)

    row = await bench.stored(execution_id)
    assert (row.status, row.output) == ("COMPLETED", {"x": "PROVIDER_RATE_LIMITED"})


async def test_a_guard_that_cannot_be_evaluated_fails_the_execution(bench: Bench) -> None:
    execution_id = await run_with(
        bench, ScriptedModel(), transform("a"), replace(transform("b"), run_if="1")
    )

    row = await bench.stored(execution_id)
    assert row.error is not None
    assert row.error["code"] == "EXPRESSION_TYPE"
    assert (await bench.story(execution_id))[-2:] == ["1#0 FAILED", "FAILED"]


async def test_a_first_guard_that_cannot_be_evaluated_fails_the_execution(bench: Bench) -> None:
    execution_id = await run_with(
        bench, ScriptedModel(), replace(transform("a"), run_if="input.nope")
    )

    assert await bench.story(execution_id) == ["PENDING", "RUNNING", "0#0 FAILED", "FAILED"]


async def test_a_step_that_takes_too_long_is_stopped(bench: Bench) -> None:
    target = ModelTarget(ModelProvider.SIMULATOR, "m", parameters={"extra": {"latencyMs": 60_000}})
    slow = Step("a", PromptConfig((target,), content="Hi"), timeout_seconds=1)
    execution_id = await bench.launch(workflow(slow))

    row = await bench.finish(execution_id)

    assert row.error is not None
    assert row.error["code"] == "STEP_TIMEOUT"
    assert "longer than 1 seconds" in row.error["message"]


async def test_a_failed_attempt_is_made_again_after_its_wait(bench: Bench) -> None:
    model = ScriptedModel(NO, NO, "ok")
    execution_id = await bench.launch(workflow(asking(retry=PATIENT)))

    async with bench.running(bench.runner(bench.tools_with(providers=model.providers))) as runner:
        for attempt in (1, 2):
            row = await bench.until(execution_id, partial(_waits_after, attempt))
            assert row.ready_at is not None
            assert timedelta(0) < row.ready_at - bench.clock.now() <= timedelta(seconds=2)
            bench.clock.move(seconds=2)
            runner.wake()
        row = await bench.until(execution_id, is_final)

    assert (row.status, row.prompt_tokens, row.cost_micros) == ("COMPLETED", 2, 3)
    assert await bench.story(execution_id) == _TWO_RETRIES


_TWO_RETRIES = [
    "PENDING", "RUNNING", "0#1 RUNNING",
    "0#1 RETRY", "0#1 WAITING", "WAITING", "RUNNING", "0#2 RUNNING",
    "0#2 RETRY", "0#2 WAITING", "WAITING", "RUNNING", "0#3 RUNNING",
    "0#3 COMPLETED", "COMPLETED",
]  # fmt: skip


def _waits_after(attempt: int, row: Execution) -> bool:
    return is_waiting(row) and row.current_attempt == attempt


async def test_attempts_share_their_key_and_keep_their_calls(bench: Bench) -> None:
    model = ScriptedModel(NO, "ok")
    execution_id = await bench.launch(workflow(asking(retry=PATIENT), asking("b")))

    async with bench.running(bench.runner(bench.tools_with(providers=model.providers))) as runner:
        await bench.until(execution_id, is_waiting)
        bench.clock.move(seconds=2)
        runner.wake()
        await bench.until(execution_id, is_final)

    (attempt,) = await StepAttempt.all()
    assert attempt.model_calls is not None
    assert attempt.model_calls[0]["error"]["code"] == "PROVIDER_RATE_LIMITED"
    assert model.keys[0] == model.keys[1] != model.keys[2]
    assert [request.attempt for request in model.asked] == [1, 2, 1]


async def test_the_last_attempt_is_the_steps_result(bench: Bench) -> None:
    once = RetryPolicy(max_attempts=1)

    execution_id = await run_with(bench, ScriptedModel(NO), asking(retry=once))

    (row,) = await steps_of(execution_id)
    assert (row.status, row.attempt) == ("FAILED", 1)
    assert row.model_calls is not None
    assert await StepAttempt.all() == []


async def test_what_no_retry_can_help_is_not_made_again(bench: Bench) -> None:
    refused = StepFailed("No.", "PROVIDER_AUTH")
    model = ScriptedModel(refused)

    await run_with(bench, model, asking(retry=PATIENT))

    assert len(model.asked) == 1


@pytest.mark.parametrize("bug", [ZeroDivisionError("secret"), TimeoutError("secret")], ids=repr)
async def test_a_bug_of_ours_is_told_by_a_reference_alone(bench: Bench, bug: Exception) -> None:
    execution_id = await run_stubbed(bench, bug)

    row = await bench.stored(execution_id)
    assert row.error is not None
    assert (row.error["code"], row.error["isRetryable"]) == ("INTERNAL", False)
    assert "under reference" in row.error["message"]
    assert "secret" not in str(row.error)


@pytest.mark.parametrize(
    "output",
    [float("nan"), "\x00", {1: 2}, object(), {"a": "\ud800"}],
    ids=["NaN", "NUL", "key", "object", "surrogate"],
)
async def test_an_output_that_is_not_json_fails_the_step(bench: Bench, output: Any) -> None:
    execution_id = await run_stubbed(bench, output)

    row = await bench.stored(execution_id)
    assert row.error is not None
    assert (row.error["code"], row.error["isRetryable"]) == ("OUTPUT_INVALID", True)


async def test_outputs_that_cannot_be_computed_fail_the_step(bench: Bench) -> None:
    execution_id = await run_stubbed(
        bench, {"v": 1}, replace(transform("a"), outputs={"x": "output.nope"})
    )

    (step,) = await steps_of(execution_id)
    assert step.error is not None
    assert (step.status, step.error["code"], step.output) == ("FAILED", "EXPRESSION_ERROR", None)


async def test_an_output_too_deep_to_store_fails_the_execution(bench: Bench) -> None:
    deep: Any = 1
    for _ in range(63):
        deep = [deep]
    step = replace(transform("a"), outputs={"x": "output"})
    definition = Definition((step,), (Variable("x", kind=VariableKind.OUTPUT),))
    execution_id = await bench.launch(definition)
    tools = bench.tools_with(executors={StepType.TRANSFORM: Stub({"v": deep})})

    row = await bench.finish(execution_id, bench.runner(tools))

    assert row.error is not None
    assert (row.status, row.error["code"]) == ("FAILED", "OUTPUT_INVALID")


async def test_a_start_in_the_future_waits_for_its_instant(bench: Bench) -> None:
    at = bench.clock.now() + timedelta(hours=1)
    execution_id = await bench.launch(workflow(transform("a")), start_at=at)

    async with bench.running() as runner:
        assert is_waiting(await bench.stored(execution_id))
        bench.clock.move(hours=1)
        runner.wake()
        row = await bench.until(execution_id, is_final)

    assert row.started_at == at
    assert (await bench.story(execution_id))[:3] == ["WAITING", "RUNNING", "0#1 RUNNING"]


async def test_steps_see_what_the_trigger_received(bench: Bench) -> None:
    step = transform("a", x="trigger.payload.n", y="trigger.headers.h", z="trigger.type")
    data = {"headers": {"h": "1"}, "payload": {"n": 2}}

    execution_id = await bench.launch(workflow(step), trigger_data=data)

    row = await bench.finish(execution_id)
    assert row.output == {"x": 2, "y": "1", "z": "WEBHOOK"}


async def test_every_attempt_sees_the_instant_it_began(bench: Bench) -> None:
    target = await bench.target(workflow(transform("a", x="now", y="execution.createdAt")))
    asked = LaunchRequest(target=target, input={}, trigger_type=TriggerType.API)
    launched = await bench.launcher.launch(asked)
    bench.clock.move(minutes=1)

    row = await bench.finish(launched.execution_id)

    assert row.output == {"x": "2026-09-01T12:01:30.000000Z", "y": "2026-09-01T12:00:30.000Z"}
