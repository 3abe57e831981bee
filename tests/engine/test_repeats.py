"""Proves that a repeat takes over what ended well, pays nothing twice and changes no past."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.definition import DataType, Definition, Step, Variable, VariableKind
from promptpilot.engine.launch import FiringDraft
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import DelayConfig, StepType
from promptpilot.engine.steps.base import Done, StepContext
from promptpilot.errors import (
    InvalidInput,
)
from promptpilot.models import Execution, LargeOutput
from tests.support.bench import Bench, is_waiting
from tests.support.drafts import condition, transform, variable
from tests.support.ledgers import rows_of
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.repeating import NO, Repeater, reused, steps_of

TWO = workflow(asking("a"), asking("b"))
DELAY = Step("d", DelayConfig(duration_seconds=60), id="st_d")


@pytest.fixture
def repeater(bench: Bench, principal: Principal) -> Repeater:
    """Give what runs executions again; its model fails at the second call."""
    return Repeater(bench, principal, ScriptedModel("one", NO, "two"))


async def test_finished_steps_are_not_run_again(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)

    row = await repeater.repeat(failed)

    assert (row.status, row.retry_of_id) == ("COMPLETED", failed)
    assert [step.output["text"] for step in await steps_of(row.id)] == ["one", "two"]
    assert len(repeater.model.asked) == 3
    assert await reused(row.id) == [ids.step_execution_id(failed, "0"), None]


async def test_what_is_taken_over_is_not_paid_again(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)

    row = await repeater.repeat(failed)

    first, second = await steps_of(row.id)
    assert (row.prompt_tokens, row.completion_tokens, row.cost_micros) == (2, 1, 3)
    assert (first.prompt_tokens, first.cost_micros, first.model_calls) == (0, 0, None)
    assert (second.prompt_tokens, second.cost_micros) == (2, 3)


async def test_the_original_stays_as_it_is(repeater: Repeater, bench: Bench) -> None:
    failed = await repeater.run(TWO)
    before = await rows_of(bench.database)

    await repeater.repeat(failed)

    after = await rows_of(bench.database)
    assert all(row in after[table] for table, rows in before.items() for row in rows)


async def test_the_story_of_a_repeat_begins_with_what_it_takes_over(
    repeater: Repeater, bench: Bench
) -> None:
    row = await repeater.repeat(await repeater.run(TWO))

    assert await bench.story(row.id) == [
        "PENDING", "0#0 COMPLETED", "RUNNING", "1#1 RUNNING", "1#1 COMPLETED", "COMPLETED",
    ]  # fmt: skip


async def test_a_repeat_is_stored_whole_before_anybody_claims_it(
    repeater: Repeater, bench: Bench
) -> None:
    failed = await repeater.run(TWO)
    bench.clock.move(hours=1)

    launched = await repeater.launch_repeat(failed)

    row = await bench.stored(launched.execution_id)
    (step,) = await steps_of(row.id)
    assert (row.status, row.position, row.ready_at) == ("PENDING", 1, bench.clock.now())
    assert (step.attempt, step.started_at, step.finished_at) == (0, None, bench.clock.now())
    assert await bench.story(row.id) == ["PENDING", "0#0 COMPLETED"]


async def test_a_repeat_of_a_repeat_names_who_did_the_work(repeater: Repeater) -> None:
    repeater.model.answers = ["one", NO, NO, "two"]
    first = await repeater.run(TWO)

    second = await repeater.repeat(first)
    third = await repeater.repeat(second.id)

    assert (third.status, third.retry_of_id) == ("COMPLETED", second.id)
    assert await reused(third.id) == [ids.step_execution_id(first, "0"), None]


async def test_a_repeat_of_the_same_original_may_be_made_again(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)

    rows = [await repeater.repeat(failed) for _ in range(2)]

    assert [row.retry_of_id for row in rows] == [failed, failed]
    assert rows[0].id != rows[1].id


async def test_values_set_by_steps_are_computed_from_what_was_taken_over(
    repeater: Repeater, bench: Bench
) -> None:
    steps = (
        replace(asking("a"), outputs={"said": "output.text", "at": "now()"}),
        asking("b"),
        transform("c", x="vars.said", y="vars.at", z="steps.a.output.text", p="previous.text"),
    )
    failed = await repeater.run(workflow(*steps))
    begun = (await steps_of(failed))[0].attempt_started_at
    bench.clock.move(days=1)

    row = await repeater.repeat(failed)

    assert row.output is not None
    assert (row.output["x"], row.output["z"], row.output["p"]) == ("one", "one", "two")
    assert begun is not None
    assert row.output["y"].startswith(begun.isoformat()[:19])


async def test_a_repeat_begins_at_the_named_step(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)

    row = await repeater.repeat(failed, "a")

    assert (row.status, await reused(row.id)) == ("COMPLETED", [None, None])
    assert len(repeater.model.asked) == 4


async def test_what_ended_well_runs_anew_from_the_first_or_from_a_named_step(
    repeater: Repeater,
) -> None:
    repeater.model.answers = ["ok"]
    done = await repeater.run(TWO)

    rows = [await repeater.repeat(done, name) for name in (None, "b")]

    assert [row.status for row in rows] == ["COMPLETED", "COMPLETED"]
    assert [await reused(row.id) for row in rows] == [
        [None, None], [ids.step_execution_id(done, "0"), None]
    ]  # fmt: skip


async def test_an_output_that_was_refused_is_made_anew(repeater: Repeater) -> None:
    missing = Variable("x", kind=VariableKind.OUTPUT, is_required=True)
    failed = await repeater.run(Definition((transform("a"),), (missing,)))

    row = await repeater.repeat(failed)

    assert (row.status, await reused(row.id)) == ("FAILED", [None])


async def test_a_branch_that_was_taken_stays_taken(repeater: Repeater) -> None:
    steps = (condition("c", "input.n > 1", then_step="t"), transform("s"), asking("t"))
    repeater.model.answers = [NO, "ok"]
    definition = Definition(steps, (variable("n", DataType.NUMBER),))
    failed = await repeater.run(definition, input={"n": 2})

    row = await repeater.repeat(failed)

    stored = [(step.status, step.skip_reason) for step in await steps_of(row.id)]
    assert stored == [("COMPLETED", None), ("SKIPPED", "BRANCH"), ("COMPLETED", None)]
    assert (await reused(row.id))[:2] == [ids.step_execution_id(failed, path) for path in "01"]


async def test_a_step_that_a_branch_left_out_is_no_beginning(repeater: Repeater) -> None:
    steps = (condition("c", then_step="t"), transform("s"), asking("t"))
    failed = await repeater.run(workflow(*steps))

    with pytest.raises(InvalidInput, match="left out by the branch of step 'c'") as refusal:
        await repeater.launch_repeat(failed, "s")

    assert refusal.value.path == ("input", "fromStepName")
    assert await Execution.all().count() == 1


async def test_guards_and_accepted_failures_are_taken_over(repeater: Repeater) -> None:
    steps = (
        replace(transform("a"), run_if="false"),
        replace(asking("b"), continue_on_error=True),
        asking("c"),
        transform("d", x="steps.a.status", y="steps.b.error.code"),
    )
    repeater.model.answers = [NO, NO, "ok"]
    failed = await repeater.run(workflow(*steps))

    row = await repeater.repeat(failed)

    assert (row.status, row.output) == ("COMPLETED", {"x": "SKIPPED", "y": "PROVIDER_BAD_REQUEST"})
    assert [step.status for step in await steps_of(row.id)][:2] == ["SKIPPED", "FAILED"]
    assert len(repeater.model.asked) == 3


async def test_a_guard_that_was_closed_is_asked_again_at_the_beginning(repeater: Repeater) -> None:
    steps = (asking("a"), replace(transform("b"), run_if="steps.a.output.text == 'two'"))
    repeater.model.answers = ["one"]
    done = await repeater.run(workflow(*steps))

    row = await repeater.repeat(done, "b")

    assert [step.skip_reason for step in await steps_of(row.id)] == [None, "GUARD"]
    assert await reused(row.id) == [ids.step_execution_id(done, "0"), None]


class Long:
    """Answers every TRANSFORM step called "a" with 200 kB, others with what they read of it."""

    def __init__(self) -> None:
        self.made = 0

    async def run(self, context: StepContext) -> Done:
        """Return the text, or what is left of it."""
        if context.step.name == "a":
            self.made += 1
            return Done({"text": "ä" * 100_000})
        return Done({"size": len(context.scope["steps"]["a"]["output"]["text"])})


async def test_outputs_kept_aside_are_taken_over_whole(repeater: Repeater, bench: Bench) -> None:
    long = Long()
    tools = replace(bench.tools, executors={**bench.tools.executors, StepType.TRANSFORM: long})
    tools = replace(tools, providers=repeater.model.providers)
    repeater.model.answers = [NO, "ok"]
    failed = await bench.launch(workflow(transform("a"), asking("b"), transform("c")))
    await bench.finish(failed, bench.runner(tools))

    launched = await repeater.launch_repeat(failed)
    row = await bench.finish(launched.execution_id, bench.runner(tools))

    kept = await LargeOutput.filter(path="0").order_by("created_at")
    assert (row.status, row.output, long.made) == ("COMPLETED", {"size": 100_000}, 1)
    assert {each.execution_id for each in kept} == {failed, row.id}
    assert (kept[0].body, kept[0].sha256) == (kept[1].body, kept[1].sha256)


async def test_only_outputs_of_steps_taken_over_are_copied(
    repeater: Repeater, bench: Bench
) -> None:
    tools = replace(bench.tools, executors={**bench.tools.executors, StepType.TRANSFORM: Long()})
    tools = replace(tools, providers=repeater.model.providers)
    done = await bench.launch(workflow(asking("x"), transform("a")))
    await bench.finish(done, bench.runner(tools))

    launched = await repeater.launch_repeat(done, "a")

    assert await LargeOutput.filter(execution_id=done, path="1").count() == 1
    assert await LargeOutput.filter(execution_id=launched.execution_id).count() == 0


async def test_a_cancelled_execution_goes_on_where_it_stood(
    repeater: Repeater, bench: Bench
) -> None:
    waiting = workflow(asking("a"), DELAY, asking("b"))
    repeater.model.answers = ["ok"]
    cancelled = await bench.launch(waiting)
    runner = bench.runner(bench.tools_with(providers=repeater.model.providers))
    async with bench.running(runner):
        await bench.until(cancelled, is_waiting)
    await bench.control.cancel(bench.workspace_id, cancelled, None)

    launched = await repeater.launch_repeat(cancelled)

    row = await bench.stored(launched.execution_id)
    assert (row.status, row.position) == ("PENDING", 1)
    assert await reused(row.id) == [ids.step_execution_id(cancelled, "0")]


async def test_a_repeat_says_who_asked_and_keeps_what_triggered(
    repeater: Repeater, bench: Bench
) -> None:
    data = {"headers": {"h": "1"}, "payload": {"n": 1}}
    steps = (asking("a"), transform("b", x="trigger.payload.n", t="trigger.type"))
    repeater.model.answers = ["ok"]
    done = await repeater.run(
        Definition(steps), trigger_data=data, trigger_id="trg_1", firing=_firing({"n": 1})
    )

    row = await repeater.repeat(done)

    original = await bench.stored(done)
    assert (row.trigger_type, row.trigger_id, row.firing_id) == (
        "WEBHOOK", "trg_1", original.firing_id
    )  # fmt: skip
    assert (row.trigger_data, row.output) == (data, {"x": 1, "t": "WEBHOOK"})
    assert (row.started_by, original.started_by) == (repeater.principal.user_id, None)


def _firing(payload: Any) -> FiringDraft:
    return FiringDraft(id=ids.new_id(ids.Kind.FIRING), trigger_id="trg_1", payload=payload)


async def test_the_time_of_a_repeat_counts_anew(repeater: Repeater, bench: Bench) -> None:
    failed = await repeater.run(replace(TWO, execution_timeout_seconds=60))
    bench.clock.move(hours=1)

    row = await repeater.repeat(failed)

    assert row.status == "COMPLETED"
    assert row.deadline_at == bench.clock.now() + timedelta(seconds=60)


async def test_a_repeat_is_as_deep_as_its_original(repeater: Repeater) -> None:
    failed = await repeater.run(TWO, depth=3)

    assert (await repeater.repeat(failed)).depth == 3
