"""Proves that a runner takes what it has room for, beats for it, and gives all of it back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.lease import beat, monotonic
from promptpilot.engine.runner import Runner, RunnerSettings
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.base import Done, StepContext
from promptpilot.errors import InvariantBroken
from promptpilot.models import Execution, WorkflowVersion
from tests.support.bench import Bench, is_final, is_running, is_waiting
from tests.support.committers import AwayOnce, LostLeases, SlowAnswers
from tests.support.drafts import transform
from tests.support.models import ScriptedModel, asking, workflow

PATIENCE = timedelta(seconds=20)


def gated() -> tuple[asyncio.Event, ScriptedModel]:
    """Make a model that answers when the gate opens."""
    gate = asyncio.Event()
    return gate, ScriptedModel(gate)


async def launch_many(bench: Bench, count: int) -> list[str]:
    """Start executions of one step that asks a model."""
    return [await bench.launch(workflow(asking())) for _ in range(count)]


def with_model(bench: Bench, model: ScriptedModel, **settings: Any) -> Runner:
    """Make a runner with a model."""
    return bench.runner(bench.tools_with(providers=model.providers), **settings)


async def test_many_executions_run_at_a_time(bench: Bench) -> None:
    gate, model = gated()
    ids = await launch_many(bench, 12)

    async with bench.running(runner := with_model(bench, model)):
        await model.wait_for_call(12)
        assert runner.free_slots == 100 - 12
        gate.set()
        rows = [await bench.until(each, is_final) for each in ids]

    assert {row.status for row in rows} == {"COMPLETED"}


async def test_no_more_executions_are_taken_than_there_are_slots(bench: Bench) -> None:
    gate, model = gated()
    ids = await launch_many(bench, 5)

    async with bench.running(runner := with_model(bench, model, slots=2)):
        await model.wait_for_call(2)
        assert (runner.free_slots, len(model.asked)) == (0, 2)
        assert await Execution.filter(status="PENDING").count() == 3
        gate.set()
        for each in ids:
            await bench.until(each, is_final)

    assert len(model.asked) == 5


async def test_a_full_runner_rings_for_another_one_once(bench: Bench) -> None:
    gate, model = gated()
    ids = await launch_many(bench, 2)
    async with bench.running(full := with_model(bench, model, slots=1)):
        await model.wait_for_call()
        rings = bench.waker.count
        for _ in range(3):
            full.wake()
            await asyncio.sleep(0)
        assert bench.waker.count <= max(rings, 1)
        async with bench.running(with_model(bench, ScriptedModel(), owner="w2")):
            bench.waker.wake()
            await bench.until(ids[1], is_final)
        gate.set()


async def test_without_a_bell_work_is_found_by_polling(bench: Bench) -> None:
    quick = RunnerSettings("w1", poll=timedelta(milliseconds=10))
    runner = Runner(bench.tools, bench.waker, quick)

    async with bench.running(runner):
        execution_id = await bench.launch(workflow(transform("a")))
        row = await bench.until(execution_id, is_final)

    assert row.status == "COMPLETED"


async def test_a_database_that_was_away_is_asked_again(bench: Bench) -> None:
    committer = AwayOnce(bench.committer)
    execution_id = await bench.launch(workflow(transform("a")))
    tools = replace(bench.tools, committer=committer)

    async with bench.running(runner := bench.runner(tools)):
        await committer.has_failed.wait()
        await asyncio.sleep(0)
        runner.wake()
        row = await bench.until(execution_id, is_final)

    assert row.status == "COMPLETED"


async def test_a_bug_in_one_execution_leaves_the_others_alone(bench: Bench) -> None:
    broken = await bench.launch(workflow(transform("a")))
    row = await bench.stored(broken)
    await WorkflowVersion.filter(id=row.workflow_version_id).delete()
    bench.versions._kept.clear()
    fine = await bench.launch(workflow(transform("a")))

    await bench.finish(fine)

    assert (await bench.stored(broken)).status == "RUNNING"
    with pytest.raises(InvariantBroken):
        await bench.versions.get(row.workflow_version_id)


async def test_a_drained_runner_takes_nothing(bench: Bench) -> None:
    async with bench.running(runner := bench.runner()):
        await runner.drain(timedelta(0))
        execution_id = await bench.launch(workflow(transform("a")))
        runner.wake()

    assert runner.is_draining
    assert (await bench.stored(execution_id)).status == "PENDING"


async def test_a_runner_may_be_drained_before_it_runs(bench: Bench) -> None:
    runner = bench.runner()

    await runner.drain(timedelta(0))

    async with asyncio.timeout(5):
        await runner.run()


async def test_what_a_claim_brings_during_a_drain_is_given_back(bench: Bench) -> None:
    committer = SlowAnswers(bench.committer)
    execution_id = await bench.launch(workflow(transform("a")))
    runner = bench.runner(replace(bench.tools, committer=committer))
    running = asyncio.create_task(runner.run())
    await committer.is_claimed.wait()
    draining = asyncio.create_task(runner.drain(PATIENCE))
    await asyncio.sleep(0)
    committer.gate.set()
    await draining

    row = await bench.stored(execution_id)
    assert (row.status, row.wait_reason) == ("WAITING", "HANDOVER")
    await running


async def test_a_late_claim_is_given_back_before_the_runner_ends(bench: Bench) -> None:
    committer = SlowAnswers(bench.committer)
    execution_id = await bench.launch(workflow(transform("a")))
    runner = bench.runner(replace(bench.tools, committer=committer))
    running = asyncio.create_task(runner.run())
    await committer.is_claimed.wait()
    await runner.drain(timedelta(0))
    committer.gate.set()
    await running

    assert (await bench.stored(execution_id)).wait_reason == "HANDOVER"


async def test_draining_rings_for_those_who_go_on(bench: Bench) -> None:
    _, model = gated()
    await launch_many(bench, 1)
    async with bench.running(runner := with_model(bench, model)):
        await model.wait_for_call()
        rings = bench.waker.count
        await runner.drain(timedelta(0))

        assert bench.waker.count == rings + 1


async def test_a_runner_beats_for_what_it_holds(bench: Bench) -> None:
    gate, model = gated()
    (execution_id,) = await launch_many(bench, 1)
    async with bench.running(runner := with_model(bench, model)):
        await model.wait_for_call()
        before = await bench.stored(execution_id)
        bench.clock.move(seconds=14)
        await beat(bench.committer, list(runner._leases.values()))
        after = await bench.stored(execution_id)
        gate.set()
        await bench.until(execution_id, is_final)

    assert before.ready_at is not None
    assert after.ready_at == before.ready_at + timedelta(seconds=14)


async def test_a_lease_counts_from_before_its_claim_was_sent(bench: Bench) -> None:
    gate, model = gated()
    committer = SlowAnswers(bench.committer)
    (execution_id,) = await launch_many(bench, 1)
    tools = replace(bench.tools_with(providers=model.providers), committer=committer)
    async with bench.running(runner := bench.runner(tools)):
        await committer.is_claimed.wait()
        claimed_by = monotonic()
        committer.gate.set()
        await model.wait_for_call()
        (lease,) = runner._leases.values()
        gate.set()
        await bench.until(execution_id, is_final)

    assert lease.counts_from <= claimed_by


async def test_a_lost_lease_stops_its_step_and_writes_nothing(bench: Bench) -> None:
    _, model = gated()
    (execution_id,) = await launch_many(bench, 1)
    tools = bench.tools_with(providers=model.providers)
    async with bench.running(runner := bench.runner(tools)):
        await model.wait_for_call()
        before = await bench.story(execution_id)
        held = list(runner._tasks)
        await beat(LostLeases(bench.committer), list(runner._leases.values()))
        async with asyncio.timeout(5):
            await asyncio.wait(held)

        assert runner.free_slots == 100
    assert await bench.story(execution_id) == before
    assert is_running(await bench.stored(execution_id))


async def test_a_wish_to_cancel_reaches_the_holder_by_its_beat(bench: Bench) -> None:
    _, model = gated()
    (execution_id,) = await launch_many(bench, 1)
    async with bench.running(runner := with_model(bench, model)):
        await model.wait_for_call()
        await bench.control.cancel(bench.workspace_id, execution_id, "enough")
        await beat(bench.committer, list(runner._leases.values()))
        row = await bench.until(execution_id, is_final)

    assert (row.status, row.cancel_reason) == ("CANCELLED", "enough")
    assert (await bench.story(execution_id))[-2:] == ["0#1 CANCELLED", "CANCELLED"]


async def test_a_wish_to_cancel_reaches_the_holder_by_its_next_write(bench: Bench) -> None:
    gate, model = gated()
    execution_id = await bench.launch(workflow(asking("a"), asking("b")))
    async with bench.running(with_model(bench, model)):
        await model.wait_for_call()
        await bench.control.cancel(bench.workspace_id, execution_id, None)
        gate.set()
        row = await bench.until(execution_id, is_final)

    assert (row.status, len(model.asked)) == ("CANCELLED", 1)
    assert (await bench.story(execution_id))[-2:] == ["0#1 COMPLETED", "CANCELLED"]


async def test_cancelling_races_with_finishing_to_one_end(bench: Bench) -> None:
    gate, model = gated()
    ids = await launch_many(bench, 20)
    async with bench.running(with_model(bench, model)):
        await model.wait_for_call(20)
        gate.set()
        cancels = [bench.control.cancel(bench.workspace_id, each, None) for each in ids]
        await asyncio.gather(*cancels, return_exceptions=True)
        rows = [await bench.until(each, is_final) for each in ids]

    for row in rows:
        ends = [each for each in await bench.story(row.id) if each in {"COMPLETED", "CANCELLED"}]
        assert ends == [row.status]


class Cancelled:
    """A step whose work is interrupted by a wish that comes just as it ends."""

    def __init__(self, bench: Bench, runner: list[Runner]) -> None:
        self.bench, self.runner = bench, runner

    async def run(self, context: StepContext) -> Done:
        """End, with a cancellation on its way."""
        (lease,) = self.runner[0]._leases.values()
        await self.bench.control.cancel(self.bench.workspace_id, lease.execution_id, None)
        await beat(self.bench.committer, [lease])
        return Done({})


async def test_a_wish_that_comes_with_a_result_loses_neither(bench: Bench) -> None:
    runners: list[Runner] = []
    executors = {StepType.TRANSFORM: Cancelled(bench, runners)}
    runners.append(bench.runner(bench.tools_with(executors=executors)))
    execution_id = await bench.launch(workflow(transform("a"), transform("b")))

    row = await bench.finish(execution_id, runners[0])

    assert row.status == "CANCELLED"
    assert not is_waiting(row)
    assert (await bench.story(execution_id))[-1] == "CANCELLED"
