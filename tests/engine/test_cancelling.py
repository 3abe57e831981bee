"""Proves that a cancellation ends waits at once and what runs within a second, sockets included.

The module under test is `asks` with what obeys it; `test_control` proves the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from promptpilot.engine import asks
from promptpilot.engine.definition import Definition, RetryPolicy, Step
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.lease import Lease, monotonic
from promptpilot.engine.progress import step_views
from promptpilot.engine.step_configs import RequestConfig, StepType
from promptpilot.engine.steps.base import Done, StepContext
from promptpilot.errors import StepFailed
from promptpilot.models import Execution, StepAttempt, StepExecution
from promptpilot.models.database import Dialect
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import transform
from tests.support.hostile import hostile_server
from tests.support.ledgers import begun
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.waits import cancel, deciding, delay, parked, pause

A_SECOND = 1.0
CANARY = "what the connection was opened with"
NO = StepFailed("Slow down.", "PROVIDER_RATE_LIMITED", is_retryable=True)
PATIENT = RetryPolicy(max_attempts=3)


class Hanging:
    """An executor that never ends by itself, and remembers how it ended."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.was_cancelled = False

    async def run(self, context: StepContext) -> Done:
        """Hang."""
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        raise AssertionError


class BreakingDown:
    """An executor that hangs, and breaks while it is cancelled."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    async def run(self, context: StepContext) -> Done:
        """Hang, then fail to clean up."""
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError(CANARY)


class Leaking:
    """An executor inside which a library raises CancelledError on its own."""

    async def run(self, context: StepContext) -> Done:
        """Raise it."""
        raise asyncio.CancelledError


@asynccontextmanager
async def hanging(bench: Bench, *after: Step) -> AsyncIterator[tuple[str, Hanging]]:
    """Let a worker hang in a step that no other step stands before."""
    executor = Hanging()
    execution_id = await bench.launch(Definition((transform("a"), *after)))
    tools = bench.tools_with(executors={StepType.TRANSFORM: executor})
    async with bench.running(bench.runner(tools)):
        await executor.began.wait()
        yield execution_id, executor


async def ended_in_time(bench: Bench, execution_id: str) -> Execution:
    """Return the execution, which must end within a second of real time."""
    async with asyncio.timeout(A_SECOND):
        return await bench.until(execution_id, is_final)


@pytest.mark.parametrize(
    ("step", "reason"), [(delay(), "DELAY"), (deciding(), "DECISION")], ids=["delay", "decision"]
)
async def test_a_wait_is_cancelled_at_once(bench: Bench, step: Step, reason: str) -> None:
    execution_id = await bench.launch(workflow(step))
    before = await parked(bench, execution_id)

    await cancel(bench, execution_id)

    row, (stored,) = await bench.stored(execution_id), await StepExecution.all()
    assert (before.wait_reason, row.status, row.wait_reason) == (reason, "CANCELLED", None)
    assert (stored.status, stored.wake_at, stored.finished_at) == (
        "CANCELLED", None, row.finished_at
    )  # fmt: skip
    assert (await bench.story(execution_id))[-3:] == ["WAITING", "0#1 CANCELLED", "CANCELLED"]


async def test_a_start_in_the_future_is_cancelled_at_once(bench: Bench) -> None:
    at = bench.clock.now() + timedelta(hours=1)
    execution_id = await bench.launch(workflow(delay()), start_at=at)

    await cancel(bench, execution_id)

    assert await bench.story(execution_id) == ["WAITING", "CANCELLED"]


async def test_a_wait_that_is_held_is_cancelled_with_its_step(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(delay()))
    await parked(bench, execution_id)
    await pause(bench, execution_id)

    await cancel(bench, execution_id)

    assert (await bench.story(execution_id))[-3:] == ["PAUSED", "0#1 CANCELLED", "CANCELLED"]


async def test_a_step_between_two_workers_is_cancelled_at_once(bench: Bench) -> None:
    async with hanging(bench) as (execution_id, _):
        pass

    await cancel(bench, execution_id)

    assert await bench.story(execution_id) == [
        "PENDING", "RUNNING", "0#1 RUNNING", "0#1 RETRY", "0#1 CANCELLED", "CANCELLED"
    ]  # fmt: skip


async def test_a_step_between_two_workers_after_a_retry_is_cancelled_as_running(
    bench: Bench,
) -> None:
    execution_id = await bench.launch(workflow(asking(retry=PATIENT)))
    model = ScriptedModel(NO, asyncio.Event())
    tools = bench.tools_with(providers=model.providers)
    await parked(bench, execution_id, bench.runner(tools))
    bench.clock.move(seconds=2)
    async with bench.running(bench.runner(tools)):
        await model.wait_for_call(2)

    (before,) = await step_views(await bench.stored(execution_id), bench.versions)
    await cancel(bench, execution_id)

    (view,) = await step_views(await bench.stored(execution_id), bench.versions)
    assert (before.status, view.status, view.attempt) == ("RUNNING", "CANCELLED", 2)
    assert [each.number for each in view.attempts] == [1, 2]
    assert (await bench.story(execution_id))[-3:] == ["0#2 RETRY", "0#2 CANCELLED", "CANCELLED"]


async def test_an_executor_that_hangs_is_cancelled_within_a_second(bench: Bench) -> None:
    async with hanging(bench) as (execution_id, executor):
        await cancel(bench, execution_id)

        row = await ended_in_time(bench, execution_id)

    assert (row.status, executor.was_cancelled) == ("CANCELLED", True)
    assert (await bench.story(execution_id))[-2:] == ["0#1 CANCELLED", "CANCELLED"]


async def test_an_executor_that_breaks_while_it_is_cancelled_is_cancelled_all_the_same(
    bench: Bench,
) -> None:
    executor = BreakingDown()
    execution_id = await bench.launch(workflow(transform("a")))
    tools = bench.tools_with(executors={StepType.TRANSFORM: executor})
    with structlog.testing.capture_logs() as logs:
        async with bench.running(bench.runner(tools)):
            await executor.began.wait()
            await cancel(bench, execution_id)

            row = await ended_in_time(bench, execution_id)

    assert row.status == "CANCELLED"
    assert CANARY not in repr(logs)


async def test_a_model_that_hangs_is_let_go_within_a_second(bench: Bench) -> None:
    model = ScriptedModel(asyncio.Event())
    execution_id = await bench.launch(workflow(asking()))
    async with bench.running(bench.runner(bench.tools_with(providers=model.providers))):
        await model.wait_for_call()
        await cancel(bench, execution_id)

        row = await ended_in_time(bench, execution_id)

    assert row.status == "CANCELLED"


async def test_a_request_that_hangs_is_closed_within_a_second(bench: Bench) -> None:
    reaching = replace(bench, http=HttpClient(AllowList.of(["127.0.0.1"])))
    async with hostile_server() as server:
        step = Step("call", RequestConfig(server.url("/hang")), id="st_1")
        execution_id = await reaching.launch(workflow(step))
        async with reaching.running():
            (seen,) = await server.journal.wait_for("/hang")
            await cancel(bench, execution_id)
            async with asyncio.timeout(A_SECOND):
                await seen.closed.wait()
            row = await reaching.until(execution_id, is_final)

    assert (row.status, seen.is_abandoned) == ("CANCELLED", True)


async def test_a_cancellation_goes_before_the_wait_of_its_step(bench: Bench) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(gate, then=NO)
    execution_id = await bench.launch(workflow(asking(retry=PATIENT)))
    claimed = await bench.claim()
    lease = Lease(claimed, timedelta(seconds=15), monotonic())
    tools = bench.tools_with(providers=model.providers)
    driving = asyncio.create_task(bench.drive(claimed, lease, tools))
    await model.wait_for_call()

    await cancel(bench, execution_id)
    gate.set()
    await driving

    assert (await bench.story(execution_id))[-2:] == ["0#1 CANCELLED", "CANCELLED"]


async def test_a_cancellation_goes_before_the_next_step(bench: Bench) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(gate)
    execution_id = await bench.launch(workflow(asking("a"), asking("b")))
    claimed = await bench.claim()
    lease = Lease(claimed, timedelta(seconds=15), monotonic())
    tools = bench.tools_with(providers=model.providers)
    driving = asyncio.create_task(bench.drive(claimed, lease, tools))
    await model.wait_for_call()

    await cancel(bench, execution_id)
    gate.set()
    await driving

    assert (await bench.story(execution_id))[-2:] == ["0#1 COMPLETED", "CANCELLED"]
    assert len(model.asked) == 1


async def test_a_worker_lost_in_a_step_that_is_to_be_cancelled_is_not_followed(
    bench: Bench,
) -> None:
    execution_id = await bench.launch(workflow(delay()))
    await bench.committer.record(begun(await bench.claim()))
    await cancel(bench, execution_id)
    bench.clock.move(seconds=15)

    row = await bench.finish(execution_id, bench.runner(owner="w2"))

    assert row.status == "CANCELLED"
    assert (await bench.story(execution_id))[-2:] == ["0#1 CANCELLED", "CANCELLED"]


async def test_a_worker_lost_at_the_end_of_a_wait_can_be_cancelled(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(delay()))
    await parked(bench, execution_id)
    bench.clock.move(minutes=1)
    await bench.claim("w2")
    await cancel(bench, execution_id)
    bench.clock.move(seconds=15)

    await bench.finish(execution_id, bench.runner(owner="w3"))

    assert (await bench.story(execution_id))[-3:] == ["RUNNING", "0#1 CANCELLED", "CANCELLED"]


async def test_an_interrupt_before_the_first_decision_gives_the_execution_back(
    bench: Bench,
) -> None:
    execution_id = await bench.launch(workflow(transform("a"), delay(), transform("b")))
    await parked(bench, execution_id)
    bench.clock.move(minutes=1)
    claimed = await bench.claim("w2")
    lease = Lease(claimed, timedelta(seconds=15), monotonic())
    task = asyncio.create_task(replace_versions(bench).drive(claimed, lease))
    await asyncio.sleep(0)
    task.cancel()
    await task

    row = await bench.stored(execution_id)
    assert (is_waiting(row), row.wait_reason, row.position) == (True, "HANDOVER", 2)


def replace_versions(bench: Bench) -> Bench:
    """Return the bench of a process that has read no version yet."""
    return replace(bench, versions=type(bench.versions)())


async def test_a_cancellation_that_nobody_asked_for_is_a_bug_of_ours(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(transform("a")))
    tools = bench.tools_with(executors={StepType.TRANSFORM: Leaking()})

    row = await bench.finish(execution_id, bench.runner(tools))

    assert row.error is not None
    assert (row.status, row.error["code"]) == ("FAILED", "INTERNAL")
    assert await StepAttempt.all() == []


async def test_a_look_reads_those_alone_of_whom_something_is_asked(bench: Bench) -> None:
    for _ in range(20):
        await bench.launch(workflow(delay()))
    claimed = await bench.committer.claim("w1", 20, 15_000)
    leases = [Lease(each, timedelta(seconds=15), monotonic()) for each in claimed]
    await cancel(bench, claimed[3].id)

    await asks.look(bench.database, "w1", leases)

    asked = [lease.execution_id for lease in leases if lease.is_cancel_requested]
    assert asked == [claimed[3].id]


async def test_a_look_searches_the_index_of_what_is_asked(bench: Bench) -> None:
    async with bench.database.transaction():
        how = "EXPLAIN QUERY PLAN"
        if bench.database.dialect is Dialect.POSTGRES:
            await bench.database.execute("SET LOCAL enable_seqscan = off")
            how = "EXPLAIN"
        plan = await bench.database.fetch(f"{how} {asks._ASKED}", "w1")

    assert "executions_asked" in repr(plan)
