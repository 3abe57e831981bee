"""Proves which stored prompts a workflow may use, and that a prompt in use is not deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.drafts import WorkflowChange
from promptpilot.engine.principal import Principal
from promptpilot.engine.prompt_drafts import PromptChange
from promptpilot.engine.prompt_texts import PromptVariable
from promptpilot.engine.prompts import Prompts
from promptpilot.engine.workflows import Workflows
from promptpilot.errors import CallerError, InvalidMany, InvalidStatus, NotFound
from promptpilot.models import Prompt, Workflow, WorkflowStep
from tests.support.drafts import draft, transform, variable
from tests.support.prompts import prompt_draft, using

CONFIG = ("input", "steps", "0", "config", "prompt")


async def _fault(workflows: Workflows, principal: Principal, *args: Any, **kw: Any) -> CallerError:
    with pytest.raises(CallerError) as refusal:
        await workflows.create(principal, draft(*args, **kw))
    return refusal.value


async def test_a_step_of_a_stored_prompt_says_so_in_its_row(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    prompt = await prompts.create(principal, prompt_draft())

    made = await workflows.create(principal, draft(transform("a"), using(prompt)))

    rows = await WorkflowStep.filter(workflow_id=made.id).order_by("position")
    assert [row.prompt_id for row in rows] == [None, prompt.id]


async def test_a_prompt_must_be_the_callers_own(
    workflows: Workflows, prompts: Prompts, principal: Principal, stranger: Principal
) -> None:
    foreign = await prompts.create(stranger, prompt_draft())

    for prompt_id in (foreign.id, ids.new_id(ids.Kind.PROMPT), "nonsense"):
        fault = await _fault(workflows, principal, using(prompt_id))
        assert isinstance(fault, NotFound)
        assert (fault.id, fault.path) == (prompt_id, (*CONFIG, "promptId"))


async def test_a_version_must_be_one_of_the_prompt(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    prompt = await prompts.create(principal, prompt_draft())
    other = await prompts.create(principal, prompt_draft(name="Other"))
    also = using(other, name="also")

    for version_id in (str(other.current_version_id), "nonsense"):
        fault = await _fault(workflows, principal, using(prompt, version_id), also)
        assert isinstance(fault, NotFound)
        assert fault.path == (*CONFIG, "promptVersionId")


async def test_every_prompt_that_is_unknown_is_named(
    workflows: Workflows, principal: Principal
) -> None:
    fault = await _fault(workflows, principal, using("x"), using("y", name="other"))

    assert isinstance(fault, InvalidMany)
    assert [each.path[2] for each in fault.errors] == ["0", "1"]


async def test_a_required_variable_must_have_a_value_somewhere(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    prompt = await prompts.create(principal, prompt_draft("{{title}} {{tone}}"))

    fault = await _fault(workflows, principal, using(prompt, inputs={"tone": "'dry'"}))

    assert fault.path == (*CONFIG, "promptId")
    assert "{{title}}" in fault.message
    assert "{{tone}}" not in fault.message


@pytest.mark.parametrize(
    ("steps", "variables"),
    [
        ({"inputs": {"title": "'T'"}}, ()),
        ({}, (variable("title"),)),
    ],
)
async def test_a_value_may_come_from_the_step_or_the_workflow(
    workflows: Workflows,
    prompts: Prompts,
    principal: Principal,
    steps: dict[str, Any],
    variables: tuple[Any, ...],
) -> None:
    prompt = await prompts.create(principal, prompt_draft("{{title}}"))

    made = await workflows.create(principal, draft(using(prompt, **steps), variables=variables))

    assert made.revision == 1


async def test_a_default_or_an_optional_variable_needs_no_value(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    declared = (
        PromptVariable("a", default="A"),
        PromptVariable("b", is_required=False),
        PromptVariable("unused"),
    )
    prompt = await prompts.create(principal, prompt_draft("{{a}}{{b}}", variables=declared))

    made = await workflows.create(principal, draft(using(prompt)))

    assert made.revision == 1


async def test_a_pinned_version_says_which_values_are_needed(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    prompt = await prompts.create(principal, prompt_draft("No names"))
    first_id = str(prompt.current_version_id)
    await prompts.update(principal, PromptChange(id=prompt.id, content="{{title}}"))

    assert (await workflows.create(principal, draft(using(prompt, first_id)))).revision == 1
    assert (await _fault(workflows, principal, using(prompt))).path == (*CONFIG, "promptId")


async def test_a_prompt_in_use_is_not_deleted_and_its_users_are_named(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    prompt = await prompts.create(principal, prompt_draft())
    made = await workflows.create(principal, draft(using(prompt)))

    with pytest.raises(InvalidStatus, match="'Triage'") as refusal:
        await prompts.delete(principal, prompt.id)
    assert (refusal.value.status, refusal.value.path) == ("IN_USE", ("input", "id"))
    await workflows.update(principal, WorkflowChange(id=made.id, steps=(transform("a"),)))

    assert await prompts.delete(principal, prompt.id) == prompt.id


async def test_a_prompt_of_a_deleted_workflow_can_be_deleted(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    prompt = await prompts.create(principal, prompt_draft())
    made = await workflows.create(principal, draft(using(prompt)))
    await workflows.delete(principal, made.id, cancel_running=False)

    assert await prompts.delete(principal, prompt.id) == prompt.id


async def test_a_deleted_prompt_cannot_be_used(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    prompt = await prompts.create(principal, prompt_draft())
    await prompts.delete(principal, prompt.id)

    assert isinstance(await _fault(workflows, principal, using(prompt)), NotFound)


async def test_a_workflow_and_a_deletion_at_once_leave_no_user_of_a_deleted_prompt(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    for number in range(12):
        prompt = await prompts.create(principal, prompt_draft(name=f"P{number}"))
        await asyncio.gather(
            workflows.create(principal, draft(using(prompt))),
            prompts.delete(principal, prompt.id),
            return_exceptions=True,
        )

        is_deleted = (await Prompt.get(id=prompt.id)).deleted_at is not None
        assert await WorkflowStep.exists(prompt_id=prompt.id) != is_deleted


async def test_a_workflow_whose_prompt_was_deleted_meanwhile_is_not_stored(
    workflows: Workflows, prompts: Prompts, principal: Principal
) -> None:
    prompt = await prompts.create(principal, prompt_draft())
    made = await workflows.create(principal, draft(using(prompt)))
    await WorkflowStep.filter(workflow_id=made.id).update(prompt_id=None)
    await prompts.delete(principal, prompt.id)

    with pytest.raises(NotFound) as refusal:
        await workflows.duplicate(principal, made.id, None)

    assert refusal.value.path == (*CONFIG, "promptId")
    assert await Workflow.all().count() == 1
