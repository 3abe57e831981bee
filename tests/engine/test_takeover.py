"""Proves that an execution goes on when its worker is lost or stopped, and no step is done twice.

The module under test is `advance`; here another runner takes up what one has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from promptpilot.engine.definition import RetryPolicy
from promptpilot.engine.runner import Runner
from promptpilot.errors import StepFailed
from promptpilot.models import StepAttempt, StepExecution
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import transform
from tests.support.ledgers import begun
from tests.support.models import ScriptedModel, asking, workflow

LEASE = timedelta(seconds=15)
NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)


def runner_of(bench: Bench, model: ScriptedModel, owner: str = "w1") -> Runner:
    """Make a runner with a model of its own."""
    return bench.runner(bench.tools_with(providers=model.providers), owner=owner, lease=LEASE)


@asynccontextmanager
async def stuck(bench: Bench, execution_id: str) -> AsyncIterator[ScriptedModel]:
    """Let a worker hang in the first step, and go on with it at the end."""
    gate = asyncio.Event()
    model = ScriptedModel(gate)
    async with bench.running(runner_of(bench, model)):
        await model.wait_for_call()
        yield model
        gate.set()


async def attempts_of(execution_id: str) -> list[tuple[int, int, str]]:
    """Return number, fence and code of the attempts that did not end their step."""
    rows = await StepAttempt.filter(execution_id=execution_id).order_by("number")
    return [(row.number, row.fence, (row.error or {})["code"]) for row in rows]


async def only_result(execution_id: str) -> StepExecution:
    """Return the result of the only step that has one."""
    (row,) = await StepExecution.filter(execution_id=execution_id)
    return row


async def test_a_lost_worker_is_followed_under_the_same_key(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    second = ScriptedModel("second")
    async with stuck(bench, execution_id) as first:
        bench.clock.move(seconds=15)
        row = await bench.finish(execution_id, runner_of(bench, second, "w2"))

    assert (row.status, row.recovery_count, row.fence) == ("COMPLETED", 1, 2)
    assert await attempts_of(execution_id) == [(1, 2, "WORKER_LOST")]
    assert first.keys == second.keys
    assert (await only_result(execution_id)).attempt == 2


async def test_what_a_lost_worker_writes_late_is_refused(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    async with stuck(bench, execution_id):
        bench.clock.move(seconds=15)
        await bench.finish(execution_id, runner_of(bench, ScriptedModel("second"), "w2"))
        before = await bench.story(execution_id)

    row = await bench.stored(execution_id)
    assert row.output is not None
    assert row.output["text"] == "second"
    assert await bench.story(execution_id) == before == [
        "PENDING", "RUNNING", "0#1 RUNNING", "0#1 RETRY", "0#2 COMPLETED", "COMPLETED"
    ]  # fmt: skip


async def test_a_worker_lost_before_its_first_step_costs_nothing(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(transform("a")))
    await bench.claim()
    bench.clock.move(seconds=15)

    row = await bench.finish(execution_id)

    assert (row.status, row.recovery_count, row.crashes) == ("COMPLETED", 1, 0)
    assert await attempts_of(execution_id) == []


async def test_a_recorded_step_is_never_run_again(bench: Bench) -> None:
    gate = asyncio.Event()
    first, second = ScriptedModel("one", gate), ScriptedModel("two")
    execution_id = await bench.launch(workflow(asking("a"), asking("b")))
    async with bench.running(runner_of(bench, first)):
        await first.wait_for_call(2)
        bench.clock.move(seconds=15)
        row = await bench.finish(execution_id, runner_of(bench, second, "w2"))
        gate.set()

    assert row.status == "COMPLETED"
    assert len(second.asked) == 1
    assert second.keys[0] == first.keys[1] != first.keys[0]


async def test_the_scope_is_rebuilt_for_the_next_worker(bench: Bench) -> None:
    steps = (
        transform("a", x="input.n + 1"),
        asking("b", outputs={"y": "steps.a.output.x"}),
        transform("c", z="vars.y + steps.a.output.x", p="previous.text"),
    )
    execution_id = await bench.launch(workflow(*steps), input={})
    await bench.database.execute("UPDATE executions SET input = $1", '{"n":1}')
    gate = asyncio.Event()
    first = ScriptedModel(gate)
    async with bench.running(runner_of(bench, first)):
        await first.wait_for_call()
        bench.clock.move(seconds=15)
        row = await bench.finish(execution_id, runner_of(bench, ScriptedModel("two"), "w2"))
        gate.set()

    assert row.output == {"z": 4, "p": "two"}


async def test_a_drain_in_a_step_hands_the_step_over(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    first, second = ScriptedModel(asyncio.Event()), ScriptedModel("second")
    async with bench.running(runner_of(bench, first)):
        await first.wait_for_call()
    handed = await bench.stored(execution_id)

    row = await bench.finish(execution_id, runner_of(bench, second, "w2"))

    assert (handed.status, handed.wait_reason, handed.owner) == ("WAITING", "HANDOVER", None)
    assert (row.status, row.recovery_count) == ("COMPLETED", 0)
    assert await attempts_of(execution_id) == [(1, 1, "WORKER_STOPPED")]
    assert first.keys == second.keys


async def test_a_drain_lets_a_step_end_and_hands_the_next_one_over(bench: Bench) -> None:
    gate = asyncio.Event()
    first, second = ScriptedModel(gate), ScriptedModel("second")
    execution_id = await bench.launch(workflow(asking("a"), asking("b")))
    async with bench.running(runner := runner_of(bench, first)):
        await first.wait_for_call()
        draining = asyncio.create_task(runner.drain(timedelta(seconds=20)))
        await asyncio.sleep(0)
        gate.set()
        await draining
    handed = await bench.stored(execution_id)

    row = await bench.finish(execution_id, runner_of(bench, second, "w2"))

    assert (handed.wait_reason, handed.position, handed.current_attempt) == ("HANDOVER", 1, 0)
    assert row.status == "COMPLETED"
    assert (len(first.asked), len(second.asked)) == (1, 1)
    assert await attempts_of(execution_id) == []


async def test_a_handover_is_not_seen_in_the_story(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    first = ScriptedModel(asyncio.Event())
    async with bench.running(runner_of(bench, first)):
        await first.wait_for_call()

    await bench.finish(execution_id, runner_of(bench, ScriptedModel(), "w2"))

    assert await bench.story(execution_id) == [
        "PENDING", "RUNNING", "0#1 RUNNING", "0#1 RETRY", "0#2 COMPLETED", "COMPLETED"
    ]  # fmt: skip


async def test_a_dead_holder_cannot_keep_an_execution_from_being_cancelled(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    model = ScriptedModel()
    claimed = await bench.claim()
    await bench.committer.record(begun(claimed))
    await bench.control.cancel(bench.workspace_id, execution_id, None)
    bench.clock.move(seconds=15)

    row = await bench.finish(execution_id, runner_of(bench, model, "w2"))

    assert (row.status, model.asked) == ("CANCELLED", [])
    assert (await bench.story(execution_id))[-2:] == ["0#1 CANCELLED", "CANCELLED"]


async def test_a_claim_that_was_to_be_cancelled_runs_nothing(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    model = ScriptedModel()
    await bench.claim()
    await bench.control.cancel(bench.workspace_id, execution_id, None)
    bench.clock.move(seconds=15)

    await bench.finish(execution_id, runner_of(bench, model, "w2"))

    assert await bench.story(execution_id) == ["PENDING", "RUNNING", "CANCELLED"]
    assert model.asked == []


async def test_a_worker_lost_after_a_wait_has_made_no_attempt(bench: Bench) -> None:
    patient = RetryPolicy(max_attempts=3)
    execution_id = await bench.launch(workflow(asking(retry=patient)))
    async with bench.running(runner_of(bench, ScriptedModel(NO))):
        await bench.until(execution_id, is_waiting)
    bench.clock.move(seconds=2)
    claimed = await bench.claim("w2")
    bench.clock.move(seconds=15)

    row = await bench.finish(execution_id, runner_of(bench, ScriptedModel(), "w3"))

    assert (claimed.waited_for, claimed.current_attempt) == ("RETRY", 1)
    assert row.status == "COMPLETED"
    assert (await only_result(execution_id)).attempt == 2


async def test_a_zombie_starts_no_effect_after_its_lease(bench: Bench) -> None:
    gate = asyncio.Event()
    first = ScriptedModel(gate)
    execution_id = await bench.launch(workflow(asking("a"), asking("b")))
    async with bench.running(runner_of(bench, first)):
        await first.wait_for_call()
        bench.clock.move(seconds=15)
        await bench.finish(execution_id, runner_of(bench, ScriptedModel("two"), "w2"))
        gate.set()

    assert len(first.asked) == 1
    assert is_final(await bench.stored(execution_id))
