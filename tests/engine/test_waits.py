"""Proves that a delay holds no worker and ends at its instant, not before, whoever is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from promptpilot.clock import SystemClock, from_ms, to_ms
from promptpilot.engine.definition import Step
from promptpilot.engine.rescue import Sweeper
from promptpilot.engine.sql import statements
from promptpilot.engine.versions import Versions
from promptpilot.models import Execution, StepExecution
from promptpilot.models.database import Database, Dialect
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import transform
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.waiting import wait_until
from tests.support.waits import MINUTE, delay, parked

MANY = 5000
STORY = [
    "PENDING", "RUNNING", "0#1 RUNNING", "0#1 WAITING", "WAITING",
    "RUNNING", "0#1 COMPLETED", "1#1 RUNNING", "1#1 COMPLETED", "COMPLETED",
]  # fmt: skip


async def resting(bench: Bench, *steps: Step) -> str:
    """Launch an execution that waits for a minute and then computes; let it begin its wait."""
    execution_id = await bench.launch(workflow(*(steps or (delay(), transform("after")))))
    await parked(bench, execution_id)
    return execution_id


async def test_a_delay_holds_no_slot_and_no_lease(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(delay()))

    async with bench.running(bench.runner(slots=3)) as runner:
        row = await bench.until(execution_id, is_waiting)

        async def is_free() -> bool:
            return runner.free_slots == 3

        assert await wait_until(is_free, within=5)
    assert (row.owner, row.wait_reason, row.current_path) == (None, "DELAY", None)


async def test_a_wait_is_on_record_until_its_instant(bench: Bench) -> None:
    execution_id = await resting(bench)

    row, (step,) = await bench.stored(execution_id), await StepExecution.all()
    until = bench.clock.now() + timedelta(minutes=1)
    assert (step.status, step.wake_at, row.ready_at) == ("WAITING", until, until)
    assert step.input == {"until": "2026-09-01T12:01:30.000Z", "reason": None}
    assert (step.output, step.finished_at) == (None, None)


async def test_a_delay_is_not_over_a_millisecond_early(bench: Bench) -> None:
    await resting(bench)
    bench.clock.move(milliseconds=MINUTE * 1000 - 1)

    early = await bench.committer.claim("w1", 10, 15_000)
    bench.clock.move(milliseconds=1)
    in_time = await bench.committer.claim("w1", 10, 15_000)

    assert (len(early), len(in_time)) == (0, 1)


async def test_a_delay_ends_in_the_process_that_began_it(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(delay(), transform("after")))

    async with bench.running() as runner:
        await bench.until(execution_id, is_waiting)
        bench.clock.move(minutes=1)
        runner.wake()
        row = await bench.until(execution_id, is_final)

    assert (row.status, row.finished_at) == ("COMPLETED", bench.clock.now())
    assert await bench.story(execution_id) == STORY


async def test_a_delay_ends_although_every_process_was_replaced(bench: Bench) -> None:
    execution_id = await resting(bench)
    bench.clock.move(minutes=1)
    later = replace(bench, versions=Versions())

    row = await later.finish(execution_id, later.runner(owner="w2"))

    assert (row.status, row.recovery_count) == ("COMPLETED", 0)
    assert await bench.story(execution_id) == STORY


async def test_a_worker_lost_at_the_end_of_a_wait_is_followed_by_the_next(bench: Bench) -> None:
    execution_id = await resting(bench)
    bench.clock.move(minutes=1)
    claimed = await bench.claim("w2")
    bench.clock.move(seconds=15)

    row = await bench.finish(execution_id, bench.runner(owner="w3"))

    assert (claimed.waited_for, row.status, row.recovery_count) == ("DELAY", "COMPLETED", 1)
    assert await bench.story(execution_id) == STORY


async def test_a_wait_counts_from_when_its_step_began(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(delay()))
    await bench.claim()
    bench.clock.move(seconds=15)

    row = await parked(bench, execution_id, bench.runner(owner="w2"))

    assert row.ready_at == bench.clock.now() + timedelta(minutes=1)


async def test_what_a_delay_says_is_its_output(bench: Bench) -> None:
    execution_id = await resting(bench, delay())
    bench.clock.move(minutes=5)

    row = await bench.finish(execution_id)

    (step,) = await StepExecution.all()
    assert row.output == step.input == {"until": "2026-09-01T12:01:30.000Z", "reason": None}
    assert (step.status, step.wake_at) == ("COMPLETED", None)
    assert step.finished_at == bench.clock.now()


async def test_an_instant_that_has_passed_is_not_waited_for(bench: Bench) -> None:
    execution_id = await bench.launch(workflow(delay(until="'2020-01-01T00:00:00Z'")))

    row = await bench.finish(execution_id)

    assert row.status == "COMPLETED"
    assert "WAITING" not in await bench.story(execution_id)


async def test_guards_after_a_wait_see_when_it_was_over(bench: Bench) -> None:
    guarded = replace(transform("after"), run_if="now > steps.rest.output.until")
    execution_id = await resting(bench, delay(), guarded)
    bench.clock.move(minutes=2)

    await bench.finish(execution_id)

    assert (await bench.story(execution_id))[-2:] == ["1#1 COMPLETED", "COMPLETED"]


async def test_a_delay_between_two_prompts_repeats_neither(bench: Bench) -> None:
    model = ScriptedModel()
    tools = bench.tools_with(providers=model.providers)
    execution_id = await bench.launch(workflow(asking("a"), delay(), asking("b")))
    await parked(bench, execution_id, bench.runner(tools))
    bench.clock.move(minutes=1)

    row = await bench.finish(execution_id, bench.runner(tools))

    assert (row.status, len(model.asked), row.prompt_tokens) == ("COMPLETED", 2, 4)


async def fill(database: Database, execution_id: str, count: int) -> None:
    """Copy an execution with its step, so that there are `count` of them."""
    for table, key in (("executions", "id"), ("step_executions", "execution_id")):
        (row,) = await database.fetch(f"SELECT * FROM {table} WHERE {key} = $1", execution_id)  # noqa: S608 -- constants
        names = ", ".join(name for name in row if name != key)
        await database.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) "  # noqa: S608 -- names of columns
            f"INSERT INTO {table} ({key}, {names}) "
            f"SELECT x.{key} || n.i, {names} FROM {table} x, n WHERE x.{key} = $1",
            execution_id,
            count - 1,
        )
    await database.execute("ANALYZE")


async def plan_of(database: Database, sql: str, values: Sequence[object]) -> str:
    """Return how the database would run a statement."""
    how = "EXPLAIN" if database.dialect is Dialect.POSTGRES else "EXPLAIN QUERY PLAN"
    return repr(await database.fetch(f"{how} {sql}", *values))


@pytest.fixture
async def crowd(bench: Bench) -> str:
    """Give the prefix of the ids of many executions that wait for a minute of the real time."""
    bench.clock.at = from_ms(to_ms(SystemClock().now()))
    execution_id = await resting(bench, delay())
    await fill(bench.database, execution_id, MANY)
    return execution_id


async def test_a_claim_reads_none_of_those_that_wait(bench: Bench, crowd: str) -> None:
    now = to_ms(bench.clock.now())
    sql = statements(bench.database.dialect)
    if bench.database.dialect is Dialect.POSTGRES:
        plan = await plan_of(bench.database, sql["claim"], (100, "w1", 15_000, now))
    else:
        due = sql["due"].replace(":now", "$1").replace(":limit", "$2")
        plan = await plan_of(bench.database, due, (now, 100))

    assert await bench.committer.claim("w1", 100, 15_000) == []
    assert "executions_ready" in plan


async def test_a_sweep_reads_none_of_those_that_wait(bench: Bench, crowd: str) -> None:
    sweeper = Sweeper(bench.database, bench.waker)
    count = bench.waker.count

    assert await sweeper.sweep() == 0

    assert bench.waker.count == count
    plan = await plan_of(bench.database, sweeper._due, (15_000,))
    assert "executions_ready" in plan


async def test_all_of_many_waits_end(bench: Bench, crowd: str) -> None:
    bench.clock.move(minutes=1)

    async with bench.running(bench.runner(slots=200)):

        async def is_over() -> bool:
            return await Execution.filter(status="COMPLETED").count() == MANY

        await wait_until(is_over, within=60)

    assert await StepExecution.filter(status="COMPLETED").count() == MANY
