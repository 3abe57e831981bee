"""Proves that prompts are whole, versioned, never changed in place, and the owner's alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.engine.prompt_documents import text_of
from promptpilot.engine.prompt_drafts import PromptChange, PromptReversal
from promptpilot.engine.prompt_texts import PromptVariable, PromptVariableType, Role, Turn
from promptpilot.engine.prompts import Prompts
from promptpilot.engine.version_numbers import ChangeType
from promptpilot.errors import (
    CallerError,
    Conflict,
    InvalidInput,
    InvalidStatus,
    NotFound,
    NotUnique,
)
from promptpilot.models import Prompt, PromptVersion
from tests.support.clock import ManualClock
from tests.support.prompts import numbers_of, prompt_draft

NOWHERE = ids.new_id(ids.Kind.PROMPT)
WHOLE = prompt_draft(
    "Hi {{name}}",
    instructions="Be {{tone}}.",
    turns=(Turn(Role.ASSISTANT, "Yes?"),),
    variables=(PromptVariable("tone", PromptVariableType.SELECT, options=("dry",)),),
    tags=("b", " a", "b"),
)


async def _current(prompt: Prompt) -> PromptVersion:
    row = await Prompt.get(id=prompt.id)
    return await PromptVersion.get(id=row.current_version_id)


async def test_a_new_prompt_has_a_first_version(prompts: Prompts, principal: Principal) -> None:
    made = await prompts.create(principal, WHOLE)

    text = text_of(await _current(made))
    assert (made.revision, made.tags) == (1, ["a", "b"])
    assert await numbers_of(made) == ["1.0.0"]
    assert (text.content, text.instructions) == (WHOLE.content, WHOLE.instructions)
    assert (text.turns, text.variables) == (WHOLE.turns, (*WHOLE.variables, PromptVariable("name")))


@pytest.mark.parametrize(
    ("others", "path"),
    [
        ({"name": ""}, ("input", "name")),
        ({"name": "x" * 201}, ("input", "name")),
        ({"description": "half \ud800"}, ("input", "description")),
        ({"tags": tuple(f"t{n}" for n in range(21))}, ("input", "tags")),
        ({"metadata": {"a": "\x00"}}, ("input", "metadata", "a")),
        ({"content": "{{"}, ("input", "content")),
    ],
)
async def test_a_prompt_that_cannot_be_is_not_stored(
    prompts: Prompts, principal: Principal, others: dict[str, Any], path: tuple[str, ...]
) -> None:
    with pytest.raises(CallerError) as refusal:
        await prompts.create(principal, prompt_draft(**others))

    assert refusal.value.path == path
    assert await Prompt.all().count() == await PromptVersion.all().count() == 0


async def test_a_name_is_unique_for_its_owner(
    prompts: Prompts, principal: Principal, stranger: Principal
) -> None:
    await prompts.create(principal, prompt_draft())
    other = await prompts.create(principal, prompt_draft(name="Other"))
    await prompts.create(stranger, prompt_draft())

    for attempt in (
        prompts.create(principal, prompt_draft()),
        prompts.update(principal, PromptChange(id=other.id, name="Greeting")),
    ):
        with pytest.raises(NotUnique) as refusal:
            await attempt
        assert refusal.value.path == ("input", "name")


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"content": "New"}, "1.0.1"),
        ({"instructions": "New", "change_type": ChangeType.MINOR}, "1.1.0"),
        ({"turns": (Turn(Role.USER, "New"),), "change_type": ChangeType.MAJOR}, "2.0.0"),
        ({"variables": (PromptVariable("x"),)}, "1.0.1"),
    ],
)
async def test_a_change_of_what_it_says_makes_a_version(
    prompts: Prompts, principal: Principal, change: dict[str, Any], number: str
) -> None:
    made = await prompts.create(principal, prompt_draft())

    asked = PromptChange(id=made.id, commit_message="Why", **change)
    changed = await prompts.update(principal, asked)

    assert changed.version is not None
    assert changed.version.parent_id == made.current_version_id
    assert changed.version.commit_message == "Why"
    assert await numbers_of(made) == ["1.0.0", number]
    assert (await _current(made)).id == changed.version.id
    assert changed.prompt.revision == 2


async def test_a_change_of_anything_else_makes_no_version(
    prompts: Prompts, principal: Principal, clock: ManualClock
) -> None:
    made = await prompts.create(principal, prompt_draft())
    clock.move(seconds=1)

    changed = await prompts.update(
        principal, PromptChange(id=made.id, name="New", tags=("x",), metadata={"a": 1})
    )

    assert changed.version is None
    row = await Prompt.get(id=made.id)
    assert (row.name, row.tags, row.metadata, row.revision) == ("New", ["x"], {"a": 1}, 2)
    assert row.updated_at == clock.now()


async def test_the_same_again_changes_nothing(prompts: Prompts, principal: Principal) -> None:
    made = await prompts.create(principal, prompt_draft("{{x}}"))

    asked = PromptChange(id=made.id, name="Greeting", content="{{x}}", variables=())
    changed = await prompts.update(principal, asked)

    assert (changed.version, changed.prompt.revision) == (None, 1)


async def test_a_new_content_declares_its_new_names(prompts: Prompts, principal: Principal) -> None:
    made = await prompts.create(principal, prompt_draft("{{a}}"))

    changed = await prompts.update(principal, PromptChange(id=made.id, content="{{b}}"))

    assert changed.version is not None
    names = [each.name for each in text_of(changed.version).variables]
    assert names == ["a", "b"]


async def test_content_cannot_be_cleared_but_instructions_can(
    prompts: Prompts, principal: Principal
) -> None:
    made = await prompts.create(principal, prompt_draft(instructions="Be brief."))

    with pytest.raises(InvalidInput, match="content must not be empty"):
        await prompts.update(principal, PromptChange(id=made.id, content=None))
    changed = await prompts.update(principal, PromptChange(id=made.id, instructions=None))

    assert changed.version is not None
    assert changed.version.instructions is None


async def test_an_unexpected_revision_is_a_conflict(prompts: Prompts, principal: Principal) -> None:
    made = await prompts.create(principal, prompt_draft())
    await prompts.update(principal, PromptChange(id=made.id, name="New"))

    with pytest.raises(Conflict) as refusal:
        await prompts.update(principal, PromptChange(id=made.id, expected_revision=1, name="X"))

    assert refusal.value.current_revision == 2


async def test_changes_at_once_get_distinct_versions(
    prompts: Prompts, principal: Principal
) -> None:
    made = await prompts.create(principal, prompt_draft())
    asked = [PromptChange(id=made.id, content=f"Text {n}") for n in range(12)]

    changed = await asyncio.gather(*(prompts.update(principal, each) for each in asked))

    assert await numbers_of(made) == [f"1.0.{n}" for n in range(13)]
    assert len({each.version.id for each in changed if each.version}) == 12
    assert (await Prompt.get(id=made.id)).revision == 13


async def test_changes_at_once_that_expect_the_same_revision_have_one_winner(
    prompts: Prompts, principal: Principal
) -> None:
    made = await prompts.create(principal, prompt_draft())
    asked = [PromptChange(id=made.id, expected_revision=1, content=f"Text {n}") for n in range(3)]

    results = await asyncio.gather(
        *(prompts.update(principal, each) for each in asked), return_exceptions=True
    )

    assert sum(isinstance(each, Conflict) for each in results) == 2
    assert await numbers_of(made) == ["1.0.0", "1.0.1"]


async def test_going_back_makes_a_version_with_the_old_contents(
    prompts: Prompts, principal: Principal
) -> None:
    made = await prompts.create(principal, prompt_draft("Old {{x}}"))
    changed = await prompts.update(
        principal, PromptChange(id=made.id, content="New", change_type=ChangeType.MINOR)
    )

    back = await prompts.revert(
        principal, PromptReversal(id=made.id, version_id=str(made.current_version_id))
    )

    assert back.version is not None
    assert changed.version is not None
    assert back.version.parent_id == changed.version.id
    assert (back.version.content, back.version.commit_message) == ("Old {{x}}", "Back to 1.0.0")
    assert await numbers_of(made) == ["1.0.0", "1.1.0", "1.1.1"]


async def test_going_back_needs_an_older_version_of_the_same_prompt(
    prompts: Prompts, principal: Principal
) -> None:
    made = await prompts.create(principal, prompt_draft())
    other = await prompts.create(principal, prompt_draft(name="Other"))
    path = ("input", "versionId")

    for version_id in (str(other.current_version_id), "pv_nonsense"):
        with pytest.raises(NotFound) as unknown:
            await prompts.revert(principal, PromptReversal(id=made.id, version_id=version_id))
        assert unknown.value.path == path
    asked = PromptReversal(id=made.id, version_id=str(made.current_version_id))
    with pytest.raises(InvalidStatus) as refusal:
        await prompts.revert(principal, asked)
    assert (refusal.value.status, refusal.value.path) == ("CURRENT", path)


async def test_a_deleted_prompt_keeps_its_versions_and_frees_its_name(
    prompts: Prompts, principal: Principal
) -> None:
    made = await prompts.create(principal, prompt_draft())

    assert await prompts.delete(principal, made.id) == made.id

    with pytest.raises(NotFound):
        await prompts.update(principal, PromptChange(id=made.id, name="X"))
    with pytest.raises(NotFound):
        await prompts.delete(principal, made.id)
    assert await PromptVersion.exists(id=made.current_version_id)
    assert (await prompts.create(principal, prompt_draft())).name == "Greeting"


async def test_nobody_else_can_do_anything_with_a_prompt(
    prompts: Prompts, principal: Principal, stranger: Principal
) -> None:
    made = await prompts.create(principal, prompt_draft())
    version_id = str(made.current_version_id)

    for attempt in (
        prompts.update(stranger, PromptChange(id=made.id, content="Mine")),
        prompts.revert(stranger, PromptReversal(id=made.id, version_id=version_id)),
        prompts.delete(stranger, made.id),
        prompts.delete(stranger, NOWHERE),
        prompts.delete(stranger, "nonsense"),
    ):
        with pytest.raises(NotFound) as refusal:
            await attempt
        assert refusal.value.path == ("input", "id")
    assert await prompts.compare(stranger, version_id, version_id) is None


async def test_versions_are_compared(prompts: Prompts, principal: Principal) -> None:
    made = await prompts.create(principal, prompt_draft("one\ntwo"))
    first_id = str(made.current_version_id)
    changed = await prompts.update(principal, PromptChange(id=made.id, content="one\n2"))
    assert changed.version is not None

    compared = await prompts.compare(principal, first_id, changed.version.id)

    assert compared is not None
    assert compared.content_diff.splitlines()[-2:] == ["-two", "+2"]
    assert [each.field for each in compared.changes] == ["content"]


async def test_versions_of_different_prompts_are_not_compared(
    prompts: Prompts, principal: Principal
) -> None:
    one = await prompts.create(principal, prompt_draft())
    other = await prompts.create(principal, prompt_draft(name="Other"))

    with pytest.raises(InvalidInput, match="different prompts"):
        await prompts.compare(principal, str(one.current_version_id), str(other.current_version_id))
    assert await prompts.compare(principal, str(one.current_version_id), "nonsense") is None
