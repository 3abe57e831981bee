"""Proves that what is stored of a workflow is whole, checked, versioned and the owner's alone."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.definition import DataType, digest, load
from promptpilot.engine.drafts import WorkflowChange, WorkflowDraft
from promptpilot.engine.principal import Principal
from promptpilot.engine.prompts import Prompts
from promptpilot.engine.workflows import Workflows
from promptpilot.errors import (
    CallerError,
    InvalidMany,
    InvalidStatus,
    NotFound,
)
from promptpilot.models import (
    Trigger,
    Workflow,
    WorkflowStep,
    WorkflowVariable,
)
from tests.support.clock import ManualClock
from tests.support.drafts import condition, draft, prompt, transform, variable
from tests.support.executions import CountedExecutions
from tests.support.prompts import prompt_draft
from tests.support.stored import step_names, stored, version_of

CONTENT = ("input", "steps", "0", "config", "prompt", "content")


async def test_a_new_workflow_has_rows_and_a_first_version_that_agree(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(
        principal,
        draft(condition("is_bug", else_step="END"), prompt("ask"), variables=(variable("title"),)),
    )

    version = await version_of(made)
    definition = load(version.definition)
    assert (made.revision, version.number, version.definition_hash) == (1, 1, digest(definition))
    assert await step_names(made) == {step.id: step.name for step in definition.steps}
    assert await WorkflowVariable.filter(id=definition.variables[0].id).count() == 1


async def test_a_workflow_may_be_made_without_a_definition(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, WorkflowDraft(name="Empty"))

    assert load((await version_of(made)).definition).steps == ()


@pytest.mark.parametrize("data_type", list(DataType))
async def test_a_variable_may_have_any_type(
    workflows: Workflows, principal: Principal, data_type: DataType
) -> None:
    made = await workflows.create(principal, draft(variables=(variable("value", data_type),)))

    assert (await WorkflowVariable.get(workflow_id=made.id)).data_type == data_type


async def test_tags_are_sorted_and_unique(workflows: Workflows, principal: Principal) -> None:
    made = await workflows.create(principal, draft(tags=("b", " a", "b")))

    assert (await stored(made)).tags == ["a", "b"]


@pytest.mark.parametrize(
    ("others", "path"),
    [
        ({"name": ""}, ("input", "name")),
        ({"name": "x" * 201}, ("input", "name")),
        ({"name": "nul\x00"}, ("input", "name")),
        ({"description": "x" * 10_001}, ("input", "description")),
        ({"description": "half \ud800"}, ("input", "description")),
        ({"tags": tuple(f"tag{n}" for n in range(21))}, ("input", "tags")),
        ({"tags": ("ok", "x" * 51)}, ("input", "tags", "1")),
        ({"metadata": {"deep": float("nan")}}, ("input", "metadata", "deep")),
        ({"metadata": {"big": "x" * 70_000}}, ("input", "metadata")),
        ({"metadata": [1]}, ("input", "metadata")),
        ({"steps": (prompt("a", "nul\x00"),)}, CONTENT),
        ({"steps": (prompt("a", "{{ nope }}"),)}, CONTENT),
        ({"variables": (variable("a"), variable("a"))}, ("input", "variables", "1", "name")),
    ],
)  # fmt: skip
async def test_what_cannot_be_a_workflow_is_refused_by_its_path(
    workflows: Workflows, principal: Principal, others: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(CallerError) as refused:
        await workflows.create(principal, draft(**others))

    assert path in {fault.path for fault in faults(refused.value)}
    assert not await Workflow.exists()


def faults(error: CallerError) -> tuple[CallerError, ...]:
    return error.errors if isinstance(error, InvalidMany) else (error,)


async def test_all_faults_are_told_at_once(workflows: Workflows, principal: Principal) -> None:
    with pytest.raises(InvalidMany) as refused:
        await workflows.create(principal, draft(name="", tags=("",)))

    assert [fault.path for fault in refused.value.errors] == [
        ("input", "name"),
        ("input", "tags", "0"),
    ]


async def test_a_stored_prompt_must_be_the_callers(
    workflows: Workflows, prompts: Prompts, principal: Principal, stranger: Principal
) -> None:
    mine, other = [await prompts.create(who, prompt_draft()) for who in (principal, stranger)]
    await workflows.create(principal, draft(prompt("a", prompt_id=mine.id)))

    with pytest.raises(InvalidMany) as refused:
        await workflows.create(
            principal, draft(prompt("a", prompt_id=other.id), prompt("b", prompt_id="\x00"))
        )

    assert [fault.path[2] for fault in refused.value.errors] == ["0", "1"]
    assert refused.value.errors[0].path[3:] == ("config", "prompt", "promptId")


async def test_a_copy_has_the_same_steps_under_other_ids(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(transform("a"), tags=("t",)))

    copy = await workflows.duplicate(principal, made.id, None)

    assert (copy.name, copy.revision, copy.tags) == ("Triage (copy)", 1, ["t"])
    theirs, ours = await step_names(copy), await step_names(made)
    assert list(theirs.values()) == list(ours.values())
    assert not theirs.keys() & ours.keys()


async def test_the_name_of_a_copy_is_never_too_long(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(name="x" * 200))

    copy = await workflows.duplicate(principal, made.id, None)

    assert len(copy.name) == 200


async def test_a_deleted_workflow_takes_its_triggers_and_leaves_its_versions(
    workflows: Workflows, principal: Principal, clock: ManualClock
) -> None:
    made = await workflows.create(principal, draft(transform("a")))
    await make_trigger(made, clock)

    await workflows.delete(principal, made.id, cancel_running=False)

    assert not await Workflow.exists()
    assert not await Trigger.exists()
    assert not await WorkflowStep.exists()
    assert (await version_of(made)).number == 1


async def make_trigger(workflow: Workflow, clock: ManualClock) -> None:
    await Trigger.create(
        id=ids.new_id(ids.Kind.TRIGGER),
        workspace_id=workflow.workspace_id,
        workflow_id=workflow.id,
        name="By hand",
        type="MANUAL",
        is_active=True,
        config={},
        input={},
        revision=1,
        created_at=clock.now(),
        updated_at=clock.now(),
    )


async def test_a_workflow_with_unfinished_executions_is_not_deleted(
    workflows: Workflows, principal: Principal, executions: CountedExecutions
) -> None:
    made = await workflows.create(principal, draft(transform("a")))
    executions.unfinished = 2

    with pytest.raises(InvalidStatus):
        await workflows.delete(principal, made.id, cancel_running=False)

    assert await Workflow.exists(id=made.id)
    assert await WorkflowStep.exists()


async def test_deleting_cancels_when_asked_to(
    workflows: Workflows, principal: Principal, executions: CountedExecutions
) -> None:
    made = await workflows.create(principal, draft(transform("a")))
    executions.unfinished = 2

    cancelled = await workflows.delete(principal, made.id, cancel_running=True)

    assert len(cancelled) == 2
    assert executions.unfinished == 0
    assert not await Workflow.exists()


@pytest.mark.parametrize("id", ["", "\x00", "wf_x", "wf_" + 26 * "0", None])
async def test_what_is_not_the_callers_is_not_found(
    workflows: Workflows, principal: Principal, stranger: Principal, id: str | None
) -> None:
    made = await workflows.create(principal, draft())
    asked = id if id is not None else made.id

    for verb in (
        workflows.update(stranger, WorkflowChange(id=asked, name="Mine")),
        workflows.duplicate(stranger, asked, None),
        workflows.delete(stranger, asked, cancel_running=True),
    ):
        with pytest.raises(NotFound, match="There is no workflow with this id") as refused:
            await verb
        assert (refused.value.id, refused.value.path) == (asked, ("input", "id"))
    assert (await stored(made)).revision == 1
