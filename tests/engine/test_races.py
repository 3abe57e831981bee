"""Proves that each execution has one legal story, whatever people and workers do at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.definition import RetryPolicy
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed
from promptpilot.models import Execution, StepAttempt, StepExecution
from tests.support.bench import Bench, is_final
from tests.support.drafts import transform
from tests.support.models import asking, workflow
from tests.support.waits import cancel, delay, pause, resume

#: Races on each database: as many batches as there are seeds, each of so many executions.
SEEDS = range(8)
BATCH = 25
#: A step at once, one with two attempts, a wait, and an end.
WAY = workflow(transform("a"), asking(retry=RetryPolicy(max_attempts=3)), delay(), transform("b"))

Verb = Callable[[Bench, str], Awaitable[None]]


class FailsAtFirst:
    """A model whose first attempt always fails, each after some turns of the loop."""

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Answer every other attempt."""
        for _ in range(5):
            await asyncio.sleep(0)
        if request.attempt == 1:
            raise StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
        return ModelReply(text="ok")


async def race(bench: Bench, execution_id: str, by: random.Random) -> None:
    """Ask for things in some order, at once or a little apart, while time passes."""
    verbs: list[Verb] = [pause, resume, pause, resume, pause, cancel]
    for verb in by.sample(verbs, by.randint(1, len(verbs))):
        for _ in range(by.choice([0, 1, 10, 50])):
            await asyncio.sleep(0)
        await asyncio.gather(verb(bench, execution_id), return_exceptions=True)
        if by.random() < 0.2:
            bench.clock.move(seconds=by.choice([2, 60]))
            bench.waker.wake()


async def settle(bench: Bench, execution_id: str) -> Execution:
    """Let it go on and its time pass until it has ended."""
    await asyncio.gather(resume(bench, execution_id), return_exceptions=True)

    def is_over(row: Execution) -> bool:
        if not is_final(row):
            bench.clock.move(minutes=1)
            bench.waker.wake()
        return is_final(row)

    return await bench.until(execution_id, is_over)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_race_has_one_legal_story(bench: Bench, seed: int) -> None:
    by = random.Random(seed)  # noqa: S311 -- to be repeated
    ids = [await bench.launch(WAY) for _ in range(BATCH)]
    tools = bench.tools_with(providers={ModelProvider.SIMULATOR: FailsAtFirst()})

    # The clock is moved under the leases, which are not what is tested here.
    async with bench.running(bench.runner(tools, lease=timedelta(days=30))):
        await asyncio.gather(*[race(bench, each, by) for each in ids])
        rows = [await settle(bench, each) for each in ids]

    assert {row.status for row in rows} <= {"COMPLETED", "CANCELLED"}
    for row in rows:
        await bench.story(row.id)
        await _assert_whole(row)


async def _assert_whole(row: Execution) -> None:
    """Fail if a step of an execution that ended stands anywhere but at its end."""
    steps = await StepExecution.filter(execution_id=row.id).order_by("position")
    assert not [step.path for step in steps if step.status == "WAITING"]
    if row.status == "COMPLETED":
        assert [step.status for step in steps] == ["COMPLETED"] * 4
        numbers = await StepAttempt.filter(execution_id=row.id, path="1").order_by("number")
        made = [each.number for each in numbers] + [steps[1].attempt]
        assert made == list(range(1, len(made) + 1))
