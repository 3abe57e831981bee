"""Proves what a repeat takes over when the workflow has changed since."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.definition import END, DataType, Definition, Step
from promptpilot.engine.launch import FiringDraft
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.firing import cut_text
from promptpilot.errors import InvalidInput, InvalidMany, InvalidStatus
from promptpilot.instants import instant_text
from promptpilot.models import Execution
from tests.support.bench import Bench
from tests.support.drafts import condition, transform, variable
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.repeating import NO, Repeater, reused, steps_of

TWO = workflow(asking("a"), asking("b"))
MENDED = replace(asking("b"), timeout_seconds=7)
NEWEST: dict[str, Any] = {"use_newest_version": True}


@pytest.fixture
def repeater(bench: Bench, principal: Principal) -> Repeater:
    """Give what runs executions again; its model fails at the second call."""
    return Repeater(bench, principal, ScriptedModel("one", NO, "two"))


async def test_a_repeat_runs_the_version_of_its_original(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)
    await repeater.change(failed, workflow(transform("x")))

    row = await repeater.repeat(failed)

    original = await repeater.bench.stored(failed)
    assert (row.status, row.workflow_revision) == ("COMPLETED", 1)
    assert row.workflow_version_id == original.workflow_version_id


async def test_a_step_that_was_mended_is_run_and_those_before_it_are_not(
    repeater: Repeater,
) -> None:
    failed = await repeater.run(TWO)
    newest = await repeater.change(failed, workflow(asking("a"), MENDED, asking("c")))

    row = await repeater.repeat(failed, **NEWEST)

    assert (row.workflow_version_id, row.workflow_revision) == (newest.id, 2)
    assert await reused(row.id) == [ids.step_execution_id(failed, "0"), None, None]
    assert (row.status, len(repeater.model.asked)) == ("COMPLETED", 4)


async def test_a_step_that_changed_is_run_with_all_that_follow(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)
    await repeater.change(failed, workflow(transform("x"), asking("a"), asking("b")))

    row = await repeater.repeat(failed, **NEWEST)

    assert (row.status, await reused(row.id)) == ("COMPLETED", [None, None, None])


@pytest.mark.parametrize("name", ["b", "c"])
async def test_a_step_after_a_change_is_no_beginning(repeater: Repeater, name: str) -> None:
    repeater.model.answers = ["ok"]
    done = await repeater.run(workflow(asking("a"), asking("b"), asking("c")))
    changed = replace(asking("a"), timeout_seconds=7)
    await repeater.change(done, workflow(changed, asking("b"), asking("c")))

    with pytest.raises(InvalidInput, match="Step 'a' before it is new or was changed") as refusal:
        await repeater.launch_repeat(done, name, **NEWEST)

    assert refusal.value.path == ("input", "fromStepName")


async def test_a_step_is_looked_up_in_the_newest_version(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)
    renamed = replace(asking("b"), name="z")
    await repeater.change(failed, workflow(asking("a"), renamed))

    with pytest.raises(InvalidInput, match="the steps are: a, z"):
        await repeater.launch_repeat(failed, "b", **NEWEST)
    row = await repeater.repeat(failed, "z", **NEWEST)

    assert (row.status, len(await steps_of(row.id))) == ("COMPLETED", 2)


async def test_steps_that_a_branch_passes_now_are_told_as_left_out(
    repeater: Repeater, bench: Bench
) -> None:
    branch = condition("c", then_step="t")
    repeater.model.answers = [NO, "ok"]
    failed = await repeater.run(workflow(branch, asking("t")))
    await repeater.change(failed, workflow(branch, asking("new"), asking("t")))

    row = await repeater.repeat(failed, **NEWEST)

    _, passed, last = await steps_of(row.id)
    assert (passed.status, passed.skip_reason, passed.reused_from) == ("SKIPPED", "BRANCH", None)
    assert (last.step_name, last.status, len(repeater.model.asked)) == ("t", "COMPLETED", 2)
    assert (await bench.story(row.id))[:3] == ["PENDING", "0#0 COMPLETED", "1#0 SKIPPED"]


async def test_a_newest_version_that_is_the_same_takes_over_as_much(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)
    await repeater.change(failed, TWO)

    row = await repeater.repeat(failed, **NEWEST)

    assert (row.status, len(repeater.model.asked)) == ("COMPLETED", 3)


@pytest.mark.parametrize("steps", [(), (condition("c", then_step=END),)], ids=["none", "one"])
async def test_a_workflow_that_has_become_short_is_run(
    repeater: Repeater, steps: tuple[Step, ...]
) -> None:
    failed = await repeater.run(TWO)
    await repeater.change(failed, Definition(steps))

    row = await repeater.repeat(failed, **NEWEST)

    assert (row.status, await reused(row.id)) == ("COMPLETED", [None] * len(steps))


async def test_the_version_of_a_workflow_that_is_gone_can_be_repeated(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)

    with pytest.raises(InvalidStatus, match="The workflow was deleted") as refusal:
        await repeater.launch_repeat(failed, **NEWEST)

    assert refusal.value.path == ("input", "useNewestVersion")
    assert (await repeater.repeat(failed)).status == "COMPLETED"


async def test_a_newest_version_gets_the_input_with_its_own_defaults(repeater: Repeater) -> None:
    before = Definition(TWO.steps, (variable("a"), variable("b", default="old")))
    failed = await repeater.run(before, input={"a": "1"})
    inputs = (variable("b", default="new"), variable("c", default="3"))
    await repeater.change(failed, Definition(TWO.steps, inputs))

    row = await repeater.repeat(failed, **NEWEST)

    assert (row.status, row.input) == ("COMPLETED", {"b": "old", "c": "3"})


@pytest.mark.parametrize(
    ("change", "name"),
    [(variable("c", is_required=True), "c"), (variable("a", DataType.NUMBER), "a")],
    ids=["new", "type"],
)
async def test_an_input_that_the_newest_version_does_not_take_is_refused(
    repeater: Repeater, change: Any, name: str
) -> None:
    failed = await repeater.run(Definition(TWO.steps, (variable("a"),)), input={"a": "1"})
    await repeater.change(failed, Definition(TWO.steps, (change,)))

    with pytest.raises(InvalidMany) as refusal:
        await repeater.launch_repeat(failed, **NEWEST)

    assert [error.path for error in refusal.value.errors] == [("input", "useNewestVersion", name)]
    assert await Execution.all().count() == 1


READS = workflow(asking("a"), transform("b", x="trigger.payload", y="trigger.headers"))


def fired(payload: Any) -> dict[str, Any]:
    """Make what a webhook call starts an execution with."""
    draft = FiringDraft(id=ids.new_id(ids.Kind.FIRING), trigger_id="trg_1", payload=payload)
    data = {"headers": {"h": "1"}, "payload": payload}
    return {"firing": draft, "trigger_id": "trg_1", "trigger_data": data}


@pytest.mark.parametrize("payload", [{"n": 1}, "a text", None], ids=["object", "text", "null"])
async def test_what_only_the_newest_version_reads_of_a_call_is_in_the_firing(
    repeater: Repeater, payload: Any
) -> None:
    failed = await repeater.run(TWO, **fired(payload))
    await repeater.change(failed, READS)

    row = await repeater.repeat(failed, **NEWEST)

    assert (row.status, row.output) == ("COMPLETED", {"x": payload, "y": None})
    assert row.trigger_data == {"headers": None, "payload": payload}


async def test_what_was_stored_of_a_call_is_taken_before_the_firing(repeater: Repeater) -> None:
    step = transform("b", y="trigger.headers")
    repeater.model.answers = ["ok"]
    done = await repeater.run(workflow(asking("a"), step), **fired({"n": 1}))
    await repeater.change(done, READS)

    row = await repeater.repeat(done, **NEWEST)

    assert row.output == {"x": {"n": 1}, "y": {"h": "1"}}


async def test_a_call_that_was_too_large_to_be_kept_is_not_read_in_part(
    repeater: Repeater,
) -> None:
    failed = await repeater.run(TWO, **fired(cut_text(b"x" * 100_000)))
    await repeater.change(failed, READS)

    with pytest.raises(InvalidStatus, match="too large to be kept") as refusal:
        await repeater.launch_repeat(failed, **NEWEST)

    assert refusal.value.path == ("input", "useNewestVersion")


async def test_what_was_started_without_a_call_has_none_to_read(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)
    await repeater.change(failed, READS)

    row = await repeater.repeat(failed, **NEWEST)

    assert (row.status, row.output) == ("COMPLETED", {"x": None, "y": None})


async def test_when_an_execution_was_due_is_in_its_firing(repeater: Repeater, bench: Bench) -> None:
    due = fired(None)
    due["firing"] = replace(due["firing"], scheduled_for=bench.clock.now())
    failed = await repeater.run(TWO, **due)
    await repeater.change(failed, workflow(asking("a"), transform("b", x="trigger.scheduledFor")))

    row = await repeater.repeat(failed, **NEWEST)

    assert row.output == {"x": instant_text(bench.clock.now())}
