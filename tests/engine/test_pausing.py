"""Proves that a pause holds at the next boundary, keeps every instant, and ends where it began."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from promptpilot.engine.asks import look
from promptpilot.engine.definition import RetryPolicy, Step, UnknownOutcomePolicy
from promptpilot.engine.lease import Lease, monotonic
from promptpilot.engine.progress import step_views
from promptpilot.engine.runner import Runner
from promptpilot.errors import InvalidStatus, NotFound, StepFailed
from promptpilot.models import Execution, StepExecution
from tests.support.bench import Bench, is_waiting
from tests.support.drafts import transform
from tests.support.ledgers import begun
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.waits import cancel, deciding, delay, parked, pause, resume

NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
PATIENT = RetryPolicy(max_attempts=3)
SIMPLE = workflow(transform("a"))
ONCE = UnknownOutcomePolicy.FAIL


def is_paused(row: Execution) -> bool:
    """Whether a person holds the execution."""
    return row.status == "PAUSED"


def runner_of(bench: Bench, model: ScriptedModel, owner: str = "w1") -> Runner:
    """Make a runner with a model of its own."""
    return bench.runner(bench.tools_with(providers=model.providers), owner=owner)


@asynccontextmanager
async def held(bench: Bench, *steps: Step) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Let a worker stand in the middle of the first step until the event is set."""
    gate = asyncio.Event()
    model = ScriptedModel(gate)
    execution_id = await bench.launch(workflow(*steps))
    async with bench.running(runner_of(bench, model)):
        await model.wait_for_call()
        yield execution_id, gate


async def waiting_for_retry(bench: Bench) -> str:
    """Leave an execution in the wait between two attempts."""
    execution_id = await bench.launch(workflow(asking(retry=PATIENT)))
    await parked(bench, execution_id, runner_of(bench, ScriptedModel(NO)))
    return execution_id


async def test_what_was_not_begun_is_held_at_once(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    await pause(bench, execution_id)

    row = await bench.stored(execution_id)
    assert (row.status, row.ready_at, row.pause_requested_at) == ("PAUSED", None, row.created_at)
    assert await bench.committer.claim("w1", 10, 15_000) == []
    assert await bench.story(execution_id) == ["PENDING", "PAUSED"]


async def test_what_was_held_goes_on(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)
    await pause(bench, execution_id)

    await resume(bench, execution_id)

    row = await bench.finish(execution_id)
    assert (row.status, row.pause_requested_at) == ("COMPLETED", None)
    assert (await bench.story(execution_id))[:4] == ["PENDING", "PAUSED", "PENDING", "RUNNING"]


async def test_the_step_in_hand_ends_before_the_pause(bench: Bench) -> None:
    async with held(bench, asking("a"), asking("b")) as (execution_id, gate):
        await pause(bench, execution_id)
        asked_for = await bench.stored(execution_id)
        gate.set()
        row = await bench.until(execution_id, is_paused)

    assert (asked_for.status, asked_for.pause_requested_at) == ("RUNNING", bench.clock.now())
    assert (row.position, row.current_attempt, row.owner) == (1, 0, None)
    assert (await bench.story(execution_id))[-2:] == ["0#1 COMPLETED", "PAUSED"]


async def test_what_was_held_between_steps_repeats_none(bench: Bench) -> None:
    async with held(bench, asking("a"), asking("b")) as (execution_id, gate):
        await pause(bench, execution_id)
        gate.set()
        await bench.until(execution_id, is_paused)
    model = ScriptedModel("second")

    await resume(bench, execution_id)
    row = await bench.finish(execution_id, runner_of(bench, model, "w2"))

    assert (row.status, len(model.asked)) == ("COMPLETED", 1)
    await bench.story(execution_id)


async def test_an_execution_in_its_last_step_ends_although_a_pause_was_asked(bench: Bench) -> None:
    async with held(bench, asking("a")) as (execution_id, gate):
        await pause(bench, execution_id)
        gate.set()
        row = await bench.until(execution_id, lambda found: found.finished_at is not None)

    assert row.status == "COMPLETED"


async def test_a_request_that_was_not_obeyed_yet_is_withdrawn(bench: Bench) -> None:
    async with held(bench, asking("a"), asking("b")) as (execution_id, gate):
        await pause(bench, execution_id)
        await resume(bench, execution_id)
        gate.set()
        row = await bench.until(execution_id, lambda found: found.finished_at is not None)

    assert (row.status, row.pause_requested_at) == ("COMPLETED", None)
    assert "PAUSED" not in await bench.story(execution_id)


async def test_a_worker_that_missed_the_withdrawal_goes_on_all_the_same(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(transform("a"), transform("b")))
    await bench.claim()
    await pause(bench, execution_id)
    bench.clock.move(seconds=15)
    claimed = await bench.claim("w2")
    lease = Lease(claimed, timedelta(seconds=15), monotonic())
    await resume(bench, execution_id)

    await bench.drive(claimed, lease)

    assert lease.is_pause_requested is False
    assert (await bench.stored(execution_id)).status == "COMPLETED"
    assert "PAUSED" not in await bench.story(execution_id)


@pytest.mark.parametrize("step", [delay(), deciding(seconds=60, default="approve")])
async def test_a_wait_keeps_its_instant_in_a_pause(bench: Bench, step: Step) -> None:
    execution_id = await bench.launch(workflow(step))
    before = await parked(bench, execution_id)

    await pause(bench, execution_id)
    bench.clock.move(seconds=20)
    held_row = await bench.stored(execution_id)
    await resume(bench, execution_id)

    row = await bench.stored(execution_id)
    assert (held_row.ready_at, held_row.paused_ready_at) == (None, before.ready_at)
    assert (row.status, row.wait_reason, row.ready_at) == (
        "WAITING", before.wait_reason, before.ready_at
    )  # fmt: skip
    assert (await bench.story(execution_id))[-3:] == ["WAITING", "PAUSED", "WAITING"]


async def test_a_wait_that_ended_in_a_pause_is_over_when_it_goes_on(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(delay()))
    await parked(bench, execution_id)
    await pause(bench, execution_id)
    bench.clock.move(hours=1)
    assert await bench.committer.claim("w1", 10, 15_000) == []

    await resume(bench, execution_id)

    assert (await bench.finish(execution_id)).status == "COMPLETED"
    await bench.story(execution_id)


async def test_the_wait_before_a_retry_is_held_too(bench: Bench) -> None:
    execution_id = await waiting_for_retry(bench)
    before = await bench.stored(execution_id)

    await pause(bench, execution_id)
    await resume(bench, execution_id)
    after = await bench.stored(execution_id)
    bench.clock.move(seconds=2)
    row = await bench.finish(execution_id, runner_of(bench, ScriptedModel()))

    assert (after.wait_reason, after.ready_at) == ("RETRY", before.ready_at)
    assert row.status == "COMPLETED"
    await bench.story(execution_id)


async def test_a_start_in_the_future_is_held(bench: Bench) -> None:
    at = bench.clock.now() + timedelta(hours=1)
    execution_id = await bench.launch(SIMPLE, start_at=at)

    await pause(bench, execution_id)
    await resume(bench, execution_id)

    row = await bench.stored(execution_id)
    assert (row.status, row.wait_reason, row.ready_at) == ("WAITING", "DELAY", at)
    assert await bench.story(execution_id) == ["WAITING", "PAUSED", "WAITING"]


async def test_a_decision_without_end_is_held_without_end(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(deciding()))
    await parked(bench, execution_id)

    await pause(bench, execution_id)
    await resume(bench, execution_id)

    row = await bench.stored(execution_id)
    assert (row.status, row.wait_reason, row.ready_at) == ("WAITING", "DECISION", None)


async def handed_over(bench: Bench) -> str:
    """Leave an execution between two workers, in the middle of its step."""
    async with held(bench, asking()) as (execution_id, _):
        pass
    return execution_id


async def test_a_step_between_two_workers_is_held(bench: Bench) -> None:
    execution_id = await handed_over(bench)

    await pause(bench, execution_id)
    paused = await bench.stored(execution_id)
    await resume(bench, execution_id)
    row = await bench.finish(execution_id, runner_of(bench, ScriptedModel()))

    assert (paused.status, paused.paused_wait_reason) == ("PAUSED", None)
    assert row.status == "COMPLETED"
    assert await bench.story(execution_id) == [
        "PENDING", "RUNNING", "0#1 RUNNING", "0#1 RETRY", "PAUSED", "PENDING", "RUNNING",
        "0#2 COMPLETED", "COMPLETED",
    ]  # fmt: skip


async def test_a_paused_step_between_two_workers_is_cancelled_with_it(bench: Bench) -> None:
    execution_id = await handed_over(bench)
    await pause(bench, execution_id)

    await cancel(bench, execution_id)

    assert (await bench.story(execution_id))[-3:] == ["PAUSED", "0#1 CANCELLED", "CANCELLED"]


async def test_a_pause_begins_in_the_wait_that_follows_its_request(bench: Bench) -> None:
    async with held(bench, asking("a"), delay()) as (execution_id, gate):
        await pause(bench, execution_id)
        gate.set()
        row = await bench.until(execution_id, is_paused)

    assert row.position == 1
    await resume(bench, execution_id)
    assert is_waiting(await parked(bench, execution_id))
    await bench.story(execution_id)


async def test_a_request_in_the_middle_of_a_step_that_waits_is_obeyed_in_its_wait(
    bench: Bench,
) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(gate, then=NO)
    execution_id = await bench.launch(workflow(asking(retry=PATIENT)))
    async with bench.running(runner_of(bench, model)):
        await model.wait_for_call()
        await pause(bench, execution_id)
        gate.set()
        row = await bench.until(execution_id, is_paused)

    assert (row.paused_wait_reason, row.current_attempt) == ("RETRY", 1)
    assert (await bench.story(execution_id))[-3:] == ["0#1 WAITING", "WAITING", "PAUSED"]
    (step,) = await StepExecution.all()
    assert step.wake_at == row.paused_ready_at


async def test_a_worker_lost_in_a_step_that_is_to_be_held_is_not_followed(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    await bench.committer.record(begun(await bench.claim()))
    await pause(bench, execution_id)
    bench.clock.move(seconds=15)
    model = ScriptedModel()

    async with bench.running(runner_of(bench, model, "w2")):
        row = await bench.until(execution_id, is_paused)

    assert (row.current_attempt, row.position, model.asked) == (1, 0, [])
    assert (await bench.story(execution_id))[-3:] == ["0#1 RUNNING", "0#1 RETRY", "PAUSED"]


async def test_a_lost_step_that_was_held_goes_on_with_the_next_attempt(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    await bench.committer.record(begun(await bench.claim()))
    await pause(bench, execution_id)
    bench.clock.move(seconds=15)
    async with bench.running(runner_of(bench, ScriptedModel(), "w2")):
        await bench.until(execution_id, is_paused)

    await resume(bench, execution_id)
    row = await bench.finish(execution_id, runner_of(bench, ScriptedModel(), "w3"))

    (view,) = await step_views(row, bench.versions)
    assert [(each.number, each.status) for each in view.attempts] == [
        (1, "FAILED"), (2, "COMPLETED")
    ]  # fmt: skip
    await bench.story(execution_id)


async def test_a_lost_step_that_happens_once_fails_before_it_is_held(bench: Bench) -> None:
    step = replace(asking(), continue_on_error=True, on_unknown_outcome=ONCE)
    execution_id = await bench.launch(workflow(step, transform("b")))
    await bench.committer.record(begun(await bench.claim()))
    await pause(bench, execution_id)
    bench.clock.move(seconds=15)

    async with bench.running(runner_of(bench, ScriptedModel(), "w2")):
        row = await bench.until(execution_id, is_paused)

    assert row.position == 1
    assert (await bench.story(execution_id))[-2:] == ["0#1 FAILED", "PAUSED"]


async def test_pausing_twice_changes_nothing(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    await pause(bench, execution_id)
    await pause(bench, execution_id)

    assert await bench.story(execution_id) == ["PENDING", "PAUSED"]


async def test_letting_go_on_what_is_not_held_changes_nothing(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    await resume(bench, execution_id)

    assert await bench.story(execution_id) == ["PENDING"]


async def test_what_has_ended_is_neither_held_nor_let_go_on(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)
    await bench.finish(execution_id)

    for verb in (pause, resume):
        with pytest.raises(InvalidStatus) as refusal:
            await verb(bench, execution_id)
        assert (refusal.value.status, refusal.value.path) == ("COMPLETED", ("input", "id"))


async def test_another_workspaces_execution_is_not_found(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    for verb in (bench.control.pause, bench.control.resume):
        with pytest.raises(NotFound):
            await verb("ws_other", execution_id)

    assert (await bench.stored(execution_id)).status == "PENDING"


async def test_a_look_tells_the_holder_of_a_pause(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)
    lease = Lease(await bench.claim("w1"), timedelta(seconds=15), monotonic())
    await pause(bench, execution_id)

    await look(bench.database, "w1", [lease])

    assert (lease.is_pause_requested, lease.is_cancel_requested) == (True, False)
