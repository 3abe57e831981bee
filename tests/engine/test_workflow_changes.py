"""Proves that a change of a workflow keeps history, and that of two changes one may lose."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.drafts import WorkflowChange
from promptpilot.engine.principal import Principal
from promptpilot.engine.workflows import Workflows
from promptpilot.errors import (
    Conflict,
    InvalidInput,
    InvalidMany,
    Required,
)
from tests.support.clock import ManualClock
from tests.support.drafts import draft, prompt, transform, variable
from tests.support.stored import step_names, stored, version_of


async def test_a_change_of_the_definition_adds_a_version_and_keeps_the_old_one(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(transform("a")))

    changed = await workflows.update(
        principal, WorkflowChange(id=made.id, steps=(transform("a"), transform("b")))
    )

    old, new = await version_of(made), await version_of(changed)
    assert (changed.revision, old.number, new.number) == (2, 1, 2)
    assert (len(old.definition["steps"]), len(new.definition["steps"])) == (1, 2)


async def test_a_change_of_the_name_adds_no_version(
    workflows: Workflows, principal: Principal, clock: ManualClock
) -> None:
    made = await workflows.create(principal, draft(transform("a")))
    clock.move(seconds=1)

    changed = await workflows.update(principal, WorkflowChange(id=made.id, name="Other"))

    assert changed.current_version_id == made.current_version_id
    assert (changed.name, changed.revision, changed.updated_at) == ("Other", 2, clock.now())


async def test_what_is_not_given_stays_and_what_is_null_is_cleared(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(
        principal, draft(transform("a"), description="text", tags=("t",), metadata={"a": 1})
    )

    await workflows.update(principal, WorkflowChange(id=made.id, description=None, tags=None))

    row = await stored(made)
    assert (row.description, row.tags, row.metadata) == (None, [], {"a": 1})
    assert len(await step_names(made)) == 1


@pytest.mark.parametrize("cleared", [{"name": None}, {"is_active": None}])
async def test_some_fields_cannot_be_cleared(
    workflows: Workflows, principal: Principal, cleared: dict[str, Any]
) -> None:
    made = await workflows.create(principal, draft())

    with pytest.raises(Required):
        await workflows.update(principal, WorkflowChange(id=made.id, **cleared))


async def test_a_change_that_changes_nothing_leaves_the_revision(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(transform("a"), variables=(variable("v"),)))

    same = await workflows.update(
        principal,
        WorkflowChange(
            id=made.id, name="Triage", steps=(transform("a"),), variables=(variable("v"),)
        ),
    )

    assert (same.revision, same.current_version_id) == (1, made.current_version_id)


async def test_steps_keep_their_ids_by_id_or_else_by_name(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft(transform("a"), transform("b"), transform("c")))
    a, b, c = await step_names(made)

    await workflows.update(
        principal,
        WorkflowChange(id=made.id, steps=(transform("c"), transform("z", id=a), transform("a"))),
    )

    now = await step_names(made)
    assert list(now.values()) == ["c", "z", "a"]
    assert list(now)[:2] == [c, a]
    assert list(now)[2] not in {a, b, c}


async def test_ids_of_other_steps_are_refused(workflows: Workflows, principal: Principal) -> None:
    other = await workflows.create(principal, draft(transform("a")))
    made = await workflows.create(principal, draft(transform("a")))
    (foreign,), (own,) = await step_names(other), await step_names(made)
    asked = [foreign, own, own, ids.new_id(ids.Kind.STEP), "\x00"]
    steps = tuple(transform(f"s{n}", id=each) for n, each in enumerate(asked))

    with pytest.raises(InvalidMany) as refused:
        await workflows.update(principal, WorkflowChange(id=made.id, steps=steps))

    assert [fault.path for fault in refused.value.errors] == [
        ("input", "steps", str(n), "id") for n in range(5)
    ]


async def test_a_new_workflow_takes_no_step_ids(workflows: Workflows, principal: Principal) -> None:
    with pytest.raises(InvalidInput) as refused:
        await workflows.create(principal, draft(transform("a", id=ids.new_id(ids.Kind.STEP))))

    assert refused.value.path == ("input", "steps", "0", "id")


async def test_a_faulty_change_stores_nothing(workflows: Workflows, principal: Principal) -> None:
    made = await workflows.create(principal, draft(transform("a")))

    with pytest.raises(InvalidMany):
        await workflows.update(
            principal, WorkflowChange(id=made.id, name="New", steps=(prompt("p", "{{ nope }}"),))
        )

    assert ((await stored(made)).name, (await stored(made)).revision) == ("Triage", 1)
    assert list((await step_names(made)).values()) == ["a"]


async def test_another_revision_than_expected_is_a_conflict(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft())
    await workflows.update(principal, WorkflowChange(id=made.id, name="First"))

    with pytest.raises(Conflict) as refused:
        await workflows.update(
            principal, WorkflowChange(id=made.id, expected_revision=1, name="Second")
        )

    assert refused.value.current_revision == 2


async def test_two_changes_with_the_same_expectation_never_both_win(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft())
    changes = [
        WorkflowChange(id=made.id, expected_revision=1, steps=(transform(f"s{n}"),))
        for n in range(4)
    ]

    answers = await asyncio.gather(
        *(workflows.update(principal, change) for change in changes), return_exceptions=True
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 3 + ["Workflow"]
    assert (await stored(made)).revision == 2


async def test_changes_without_an_expectation_all_take_place(
    workflows: Workflows, principal: Principal
) -> None:
    made = await workflows.create(principal, draft())
    changes: list[dict[str, Any]] = [{"name": "New"}, {"description": "text"}, {"tags": ("t",)}]

    await asyncio.gather(
        *(workflows.update(principal, WorkflowChange(id=made.id, **each)) for each in changes)
    )

    row = await stored(made)
    assert (row.name, row.description, row.tags, row.revision) == ("New", "text", ["t"], 4)
