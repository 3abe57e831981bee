"""Proves that nothing outlasts the deadline of its execution: no step, no wait, no pause."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.definition import RetryPolicy, Step
from promptpilot.engine.principal import Principal
from promptpilot.engine.progress import step_views
from promptpilot.engine.runner import Runner
from promptpilot.errors import InvalidStatus, StepFailed
from promptpilot.models import DeadLetter, Decision, Execution, StepExecution
from tests.support.bench import Bench
from tests.support.drafts import transform
from tests.support.ledgers import begun
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.waits import MINUTE, cancel, decide, deciding, delay, parked, pause, resume

NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
PATIENT = RetryPolicy(max_attempts=3)
HOUR = timedelta(hours=1)


async def launched(bench: Bench, *steps: Step, seconds: int = MINUTE, **request: Any) -> str:
    """Launch an execution that may take so long."""
    definition = replace(workflow(*steps), execution_timeout_seconds=seconds)
    return await bench.launch(definition, **request)


def runner_of(bench: Bench, model: ScriptedModel, owner: str = "w1") -> Runner:
    """Make a runner with a model of its own."""
    return bench.runner(bench.tools_with(providers=model.providers), owner=owner)


def assert_late(row: Execution) -> None:
    """Fail unless the execution failed because of its deadline."""
    assert row.error is not None
    assert (row.status, row.error["code"]) == ("FAILED", "EXECUTION_TIMEOUT")


@pytest.mark.parametrize(
    "others",
    [{}, {"continue_on_error": True}, {"retry": PATIENT}],
    ids=["plain", "goes on", "retry"],
)
async def test_a_running_step_is_cut_at_the_deadline(bench: Bench, others: Any) -> None:
    execution_id = await launched(bench, asking("a", **others), transform("b"))
    bench.clock.move(seconds=59.9)
    model = ScriptedModel(asyncio.Event())

    row = await bench.finish(execution_id, runner_of(bench, model))

    assert_late(row)
    assert len(model.asked) == 1
    assert (await bench.story(execution_id))[-2:] == ["0#1 FAILED", "FAILED"]
    assert [each.error_code for each in await DeadLetter.all()] == ["EXECUTION_TIMEOUT"]


async def test_the_steps_own_limit_goes_first_if_it_is_shorter(bench: Bench) -> None:
    execution_id = await launched(bench, asking("a", timeout_seconds=1), seconds=3600)

    row = await bench.finish(execution_id, runner_of(bench, ScriptedModel(asyncio.Event())))

    assert row.error is not None
    assert row.error["code"] == "STEP_TIMEOUT"


async def test_a_wait_ends_at_the_deadline(bench: Bench) -> None:
    execution_id = await launched(bench, delay(duration_seconds=3600))
    row = await parked(bench, execution_id)
    assert row.ready_at == row.deadline_at
    bench.clock.move(minutes=1)

    assert_late(await bench.finish(execution_id))

    assert (await bench.story(execution_id))[-3:] == ["RUNNING", "0#1 FAILED", "FAILED"]
    (step,) = await StepExecution.all()
    assert (step.error or {})["code"] == "EXECUTION_TIMEOUT"


async def test_a_shorter_wait_ends_as_it_would_without_a_deadline(bench: Bench) -> None:
    execution_id = await launched(bench, delay(), seconds=3600)
    await parked(bench, execution_id)
    bench.clock.move(minutes=1)

    assert (await bench.finish(execution_id)).status == "COMPLETED"


async def test_a_decision_without_end_ends_at_the_deadline(
    bench: Bench, principal: Principal
) -> None:
    execution_id = await launched(bench, deciding(default="approve"))
    await parked(bench, execution_id)
    bench.clock.move(minutes=1)

    with pytest.raises(InvalidStatus, match="time for this decision is up"):
        await decide(bench, principal, execution_id, "approve")

    assert_late(await bench.finish(execution_id))
    assert await Decision.all() == []


async def test_the_wait_before_a_retry_ends_at_the_deadline(bench: Bench) -> None:
    asked = StepFailed("No.", "NETWORK", is_retryable=True, retry_after=timedelta(minutes=5))
    execution_id = await launched(bench, asking(retry=PATIENT))
    await parked(bench, execution_id, runner_of(bench, ScriptedModel(asked)))
    bench.clock.move(minutes=1)

    assert_late(await bench.finish(execution_id))

    (view,) = await step_views(await bench.stored(execution_id), bench.versions)
    assert [(each.number, (each.error or {})["code"]) for each in view.attempts] == [(1, "NETWORK")]
    assert (view.error or {})["code"] == "EXECUTION_TIMEOUT"
    assert (await bench.story(execution_id))[-2:] == ["0#1 FAILED", "FAILED"]


async def test_a_claim_after_the_deadline_runs_nothing(bench: Bench) -> None:
    execution_id = await launched(bench, asking())
    bench.clock.move(minutes=1)
    model = ScriptedModel()

    assert_late(await bench.finish(execution_id, runner_of(bench, model)))

    assert model.asked == []
    assert await bench.story(execution_id) == ["PENDING", "RUNNING", "FAILED"]


async def test_a_step_of_a_lost_worker_is_not_taken_up_after_the_deadline(bench: Bench) -> None:
    execution_id = await launched(bench, asking())
    await bench.committer.record(begun(await bench.claim(lease_ms=MINUTE * 1000)))
    bench.clock.move(minutes=1)
    model = ScriptedModel()

    assert_late(await bench.finish(execution_id, runner_of(bench, model)))

    assert model.asked == []
    assert (await bench.story(execution_id))[-2:] == ["0#1 FAILED", "FAILED"]


async def test_a_step_between_two_workers_ends_at_the_deadline(bench: Bench) -> None:
    execution_id = await launched(bench, asking())
    model = ScriptedModel(asyncio.Event())
    async with bench.running(runner_of(bench, model)):
        await model.wait_for_call()
    bench.clock.move(minutes=1)

    assert_late(await bench.finish(execution_id))

    (view,) = await step_views(await bench.stored(execution_id), bench.versions)
    assert (view.status, [each.number for each in view.attempts]) == ("FAILED", [1])
    assert (await bench.story(execution_id))[-2:] == ["0#1 FAILED", "FAILED"]


@pytest.mark.parametrize("step", [delay(), deciding(), transform("a")], ids=lambda step: step.name)
async def test_what_is_held_is_judged_when_it_goes_on(bench: Bench, step: Step) -> None:
    execution_id = await launched(bench, step)
    if step.name != "a":
        await parked(bench, execution_id)
    await pause(bench, execution_id)
    bench.clock.move(hours=1)
    assert (await bench.stored(execution_id)).status == "PAUSED"

    await resume(bench, execution_id)

    assert_late(await bench.finish(execution_id))
    await bench.story(execution_id)


async def test_a_pause_does_not_move_the_deadline(bench: Bench) -> None:
    execution_id = await launched(bench, deciding(), seconds=3600)
    before = await parked(bench, execution_id)
    await pause(bench, execution_id)
    bench.clock.move(minutes=1)

    await resume(bench, execution_id)

    row = await bench.stored(execution_id)
    assert row.ready_at == row.deadline_at == before.deadline_at


async def test_the_deadline_counts_from_a_start_in_the_future(bench: Bench) -> None:
    at = bench.clock.now() + HOUR
    execution_id = await launched(bench, asking(), start_at=at)
    bench.clock.move(hours=1)

    row = await bench.finish(execution_id, runner_of(bench, ScriptedModel()))

    assert row.deadline_at == at + timedelta(minutes=1)
    assert row.status == "COMPLETED"


async def test_a_cancellation_goes_before_the_deadline(bench: Bench) -> None:
    execution_id = await launched(bench, asking())
    await bench.claim(lease_ms=MINUTE * 1000)
    await cancel(bench, execution_id)
    bench.clock.move(minutes=1)

    assert (await bench.finish(execution_id)).status == "CANCELLED"
