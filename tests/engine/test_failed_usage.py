"""Proves that failed attempts count for what they cost, as when one of two models answered."""

from __future__ import annotations

from dataclasses import replace

from promptpilot.engine.definition import RetryPolicy, Step
from promptpilot.engine.step_configs import PromptConfig
from promptpilot.errors import StepFailed
from promptpilot.models import Execution
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.models import ScriptedModel, asking, workflow

NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)


def asking_twice(retry: RetryPolicy) -> Step:
    """Make a step that asks two models at the same time, and fails if one of them does."""
    step = asking(retry=retry)
    assert isinstance(step.config, PromptConfig)
    return replace(step, config=replace(step.config, models=step.config.models * 2))


def usage_of(row: Execution) -> tuple[int, int, int]:
    """Return the tokens and the money of an execution."""
    return row.prompt_tokens, row.completion_tokens, row.cost_micros


async def test_an_answer_counts_although_another_model_failed(bench: Bench) -> None:
    model = ScriptedModel("fine", NO)
    execution_id = await bench.launch(workflow(asking_twice(RetryPolicy())))

    row = await bench.finish(
        execution_id, bench.runner(bench.tools_with(providers=model.providers))
    )

    assert (row.status, usage_of(row)) == ("FAILED", (2, 1, 3))


async def test_the_answers_of_all_attempts_count_once(bench: Bench) -> None:
    model = ScriptedModel("fine", NO, "fine")
    execution_id = await bench.launch(workflow(asking_twice(RetryPolicy(max_attempts=2))))
    async with bench.running(bench.runner(bench.tools_with(providers=model.providers))):
        await bench.until(execution_id, is_waiting)
        bench.clock.move(seconds=2)
        bench.waker.wake()

        row = await bench.until(execution_id, is_final)

    assert (row.status, usage_of(row)) == ("COMPLETED", (4, 2, 6))
    assert len(model.asked) == 3
