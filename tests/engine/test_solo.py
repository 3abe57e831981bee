"""Proves that an execution that keeps losing its workers runs alone, and alone is judged."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.definition import Definition
from promptpilot.engine.lease import Lease, monotonic
from promptpilot.engine.runner import Runner
from promptpilot.engine.solo import Orders, SoloSettings, run_alone, work
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.versions import Versions
from promptpilot.models import DeadLetter, Execution, StepExecution
from tests.support.bench import Bench, is_final
from tests.support.drafts import transform
from tests.support.ledgers import begun, made_claimed
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.waits import cancel

LEASE = timedelta(seconds=15)
SIMPLE = workflow(transform("a"), transform("b"))


def settings_for(bench: Bench, mode: str, fifo: Path | str = "none") -> SoloSettings:
    """Make a child that behaves in a certain way."""
    command = (sys.executable, "-m", "tests.support.solo_child", mode)
    return SoloSettings((*command, bench.database.url, str(fifo)), stop=timedelta(seconds=1))


async def crash_twice(bench: Bench, definition: Definition, **request: Any) -> str:
    """Start an execution that two workers did not survive."""
    execution_id = await bench.launch(definition, **request)
    for crashes in range(2):
        assert (await bench.claim()).crashes == crashes
        bench.clock.move(seconds=15)
    return execution_id


async def claim_again(bench: Bench) -> tuple[Claimed, Lease]:
    """Claim the execution for its last chance."""
    claimed = await bench.claim("w3")
    assert claimed.crashes == 2
    return claimed, Lease(claimed, LEASE, monotonic())


async def run_child(bench: Bench, settings: SoloSettings) -> Execution:
    """Run the execution alone; return what became of it."""
    claimed, lease = await claim_again(bench)
    await run_alone(claimed, lease, bench.tools, settings)
    return await bench.stored(claimed.id)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Give a pipe through which a child says that it is there."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_orders_are_read_as_they_were_written() -> None:
    orders = Orders(made_claimed(input='{"a":"ä"}'), 15_000, 12.5)

    assert Orders.from_json(orders.to_json()) == orders


async def test_a_child_does_the_whole_work(bench: Bench) -> None:
    execution_id = await crash_twice(bench, SIMPLE)

    row = await run_child(bench, settings_for(bench, "work"))

    assert (row.status, row.crashes, row.fence) == ("COMPLETED", 0, 3)
    assert (await bench.story(execution_id))[-1] == "COMPLETED"


async def test_a_child_that_dies_convicts_its_execution(bench: Bench) -> None:
    await crash_twice(bench, SIMPLE)

    row = await run_child(bench, settings_for(bench, "die"))

    assert row.error is not None
    assert (row.status, row.error["code"]) == ("FAILED", "DEAD_LETTERED")
    assert row.error["details"] == {"exitCode": -9, "signal": "SIGKILL"}
    (letter,) = await DeadLetter.all()
    assert (letter.execution_id, letter.error_code) == (row.id, "DEAD_LETTERED")
    assert row.id in bench.feed.rung


async def test_an_exit_code_that_is_not_its_own_convicts_as_well(bench: Bench) -> None:
    await crash_twice(bench, SIMPLE, trigger_type=TriggerType.MANUAL)

    row = await run_child(bench, settings_for(bench, "odd"))

    assert row.error is not None
    assert row.error["details"] == {"exitCode": 3}
    assert await DeadLetter.all() == []


async def test_the_step_in_hand_fails_with_its_execution(bench: Bench) -> None:
    execution_id = await crash_twice(bench, SIMPLE)
    claimed, lease = await claim_again(bench)
    await bench.committer.record(begun(claimed))

    await run_alone(claimed, lease, bench.tools, settings_for(bench, "die"))

    (step,) = await StepExecution.filter(execution_id=execution_id)
    assert (step.status, step.attempt) == ("FAILED", 1)
    assert (await bench.story(execution_id))[-2:] == ["0#1 FAILED", "FAILED"]


async def test_a_child_that_could_not_work_is_left_alone(bench: Bench) -> None:
    await crash_twice(bench, SIMPLE)

    row = await run_child(bench, settings_for(bench, "again"))

    assert (row.status, row.error) == ("RUNNING", None)


async def test_what_another_worker_holds_is_not_convicted(bench: Bench) -> None:
    await crash_twice(bench, SIMPLE)
    claimed, lease = await claim_again(bench)
    bench.clock.move(seconds=15)
    await bench.claim("w4")

    await run_alone(claimed, lease, bench.tools, settings_for(bench, "die"))

    row = await bench.stored(claimed.id)
    assert (row.status, row.owner) == ("RUNNING", "w4")


class TakenMeanwhile(Versions):
    """Another worker claims the execution while its definition is read."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench

    async def get(self, version_id: str) -> Definition:
        """Read, and lose the execution."""
        self.bench.clock.move(seconds=15)
        await self.bench.claim("w4")
        return await super().get(version_id)


async def test_a_verdict_that_comes_too_late_is_refused(bench: Bench) -> None:
    await crash_twice(bench, SIMPLE)
    claimed, lease = await claim_again(bench)
    tools = replace(bench.tools, versions=TakenMeanwhile(bench))

    await run_alone(claimed, lease, tools, settings_for(bench, "die"))

    row = await bench.stored(claimed.id)
    assert (row.status, row.owner) == ("RUNNING", "w4")


async def test_a_stopped_worker_has_its_child_give_the_step_back(bench: Bench, fifo: Path) -> None:
    execution_id = await crash_twice(bench, workflow(asking()))
    claimed, lease = await claim_again(bench)
    settings = settings_for(bench, "work", fifo)
    running = asyncio.create_task(run_alone(claimed, lease, bench.tools, settings))
    assert await asyncio.to_thread(fifo.read_text) == "asked"
    running.cancel()
    await asyncio.wait([running])

    row = await bench.stored(execution_id)
    assert running.cancelled()
    assert (row.status, row.wait_reason, row.current_attempt) == ("WAITING", "HANDOVER", 1)


async def test_a_child_that_does_not_stop_is_killed(bench: Bench, fifo: Path) -> None:
    await crash_twice(bench, SIMPLE)
    claimed, lease = await claim_again(bench)
    settings = settings_for(bench, "deaf", fifo)
    running = asyncio.create_task(run_alone(claimed, lease, bench.tools, settings))
    assert await asyncio.to_thread(fifo.read_text) == "here"
    running.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([running])

    assert (await bench.stored(claimed.id)).status == "RUNNING"


async def test_a_lost_lease_kills_the_child_at_once(bench: Bench, fifo: Path) -> None:
    await crash_twice(bench, workflow(asking()))
    claimed, lease = await claim_again(bench)
    settings = settings_for(bench, "work", fifo)
    lease.task = asyncio.create_task(run_alone(claimed, lease, bench.tools, settings))
    assert await asyncio.to_thread(fifo.read_text) == "asked"
    lease.note(None, 0)
    await asyncio.wait([lease.task])

    row = await bench.stored(claimed.id)
    assert (row.status, row.wait_reason) == ("RUNNING", None)


async def test_only_the_poison_is_convicted_by_a_runner(bench: Bench) -> None:
    poison = await crash_twice(bench, SIMPLE)
    innocent = await bench.launch(SIMPLE)
    runner = bench.runner(solo=settings_for(bench, "die"))

    async with bench.running(runner):
        rows = [await bench.until(each, is_final) for each in (poison, innocent)]

    assert [row.status for row in rows] == ["FAILED", "COMPLETED"]


async def test_a_single_crash_is_forgiven(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)
    await bench.claim()
    bench.clock.move(seconds=15)
    runner = bench.runner(solo=settings_for(bench, "die"))

    row = await bench.finish(execution_id, runner)

    assert row.status == "COMPLETED"


async def test_who_waits_to_run_alone_gives_back_when_its_worker_stops(bench: Bench) -> None:
    ids = [await bench.launch(SIMPLE) for _ in range(2)]
    for _ in range(2):
        assert len(await bench.committer.claim("w1", 2, 15_000)) == 2
        bench.clock.move(seconds=15)
    settings = replace(settings_for(bench, "work"), at_once=1)
    async with bench.running(runner := bench.runner(solo=settings)):
        for each in ids:
            await bench.until(each, lambda row: row.fence == 3)
        await runner.drain(timedelta(seconds=20))

    rows = [await bench.stored(each) for each in ids]
    # Whether the first one had its place before the drain began is a matter of chance.
    assert "WAITING" in {row.status for row in rows}
    assert {(row.status, row.wait_reason) for row in rows} <= {
        ("COMPLETED", None),
        ("WAITING", "HANDOVER"),
    }


async def test_the_childs_work_ends_with_its_execution(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)
    orders = Orders(await bench.claim(), 15_000, monotonic())

    await work(orders, bench.tools, lambda: False)

    assert (await bench.stored(execution_id)).status == "COMPLETED"


async def test_the_childs_work_gives_its_step_back_when_it_is_stopped(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(asking()))
    model = ScriptedModel(asyncio.Event())
    orders = Orders(await bench.claim(), 15_000, monotonic())
    tools = bench.tools_with(providers=model.providers)
    working = asyncio.create_task(work(orders, tools, lambda: False))
    await model.wait_for_call()
    working.cancel()
    await asyncio.wait([working])

    assert working.cancelled()
    assert (await bench.stored(execution_id)).wait_reason == "HANDOVER"


async def test_a_child_whose_start_took_the_whole_lease_asks_for_more_first(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)
    orders = Orders(await bench.claim(), 15_000, monotonic() - 20)

    await work(orders, bench.tools, lambda: False)

    assert (await bench.stored(execution_id)).status == "COMPLETED"


def crowded(bench: Bench) -> Runner:
    """Make a runner that has no place for an execution to run alone."""
    return bench.runner(solo=SoloSettings(("false",), at_once=0))


async def test_who_waits_for_a_place_is_cancelled_within_a_second(bench: Bench) -> None:
    execution_id = await crash_twice(bench, SIMPLE)
    async with bench.running(crowded(bench)):
        await bench.until(execution_id, lambda row: row.fence == 3)
        await cancel(bench, execution_id)

        async with asyncio.timeout(1):
            row = await bench.until(execution_id, is_final)

    assert row.status == "CANCELLED"


async def test_who_waits_for_a_place_is_handed_over_when_its_worker_stops(bench: Bench) -> None:
    execution_id = await crash_twice(bench, SIMPLE)

    async with bench.running(crowded(bench)):
        await bench.until(execution_id, lambda row: row.fence == 3)

    row = await bench.stored(execution_id)
    assert (row.status, row.wait_reason, row.crashes) == ("WAITING", "HANDOVER", 2)


async def test_what_is_to_be_cancelled_needs_no_place(bench: Bench) -> None:
    execution_id = await crash_twice(bench, SIMPLE)
    await cancel(bench, execution_id)

    row = await bench.finish(execution_id, crowded(bench))

    assert row.status == "CANCELLED"
