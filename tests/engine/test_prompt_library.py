"""Proves that a version is read once, kept within bounds, and that a missing one fails its step."""

from __future__ import annotations

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.engine.prompt_library import PromptTexts
from promptpilot.engine.prompts import Prompts
from promptpilot.errors import StepFailed
from promptpilot.models import Prompt, PromptVersion
from tests.support.drafts import prompt as asking
from tests.support.drafts import transform
from tests.support.prompts import prompt_draft, using


async def _made(prompts: Prompts, principal: Principal, name: str, content: str = "x") -> str:
    made = await prompts.create(principal, prompt_draft(content, name=name))
    return str(made.current_version_id)


async def test_a_version_is_read_once(prompts: Prompts, principal: Principal) -> None:
    texts = PromptTexts()
    version_id = await _made(prompts, principal, "P", "Hi {{x}}")
    first = await texts.get(version_id)
    await PromptVersion.filter(id=version_id).delete()

    assert first is not None
    assert first.content == "Hi {{x}}"
    assert await texts.get(version_id) is first


@pytest.mark.parametrize("bounds", [{"max_kept": 1}, {"max_characters": 5}])
async def test_what_was_used_last_is_kept(
    prompts: Prompts, principal: Principal, bounds: dict[str, int]
) -> None:
    texts = PromptTexts(**bounds)
    one, other = [await _made(prompts, principal, name, "abcd") for name in "ab"]
    for version_id in (one, other):
        assert await texts.get(version_id)
    await PromptVersion.all().delete()

    assert await texts.get(one) is None
    assert await texts.get(other) is not None


async def test_steps_without_a_stored_prompt_have_none(prompts: Prompts) -> None:
    texts = PromptTexts()

    assert await texts.of_step(transform("a"), {}) is None
    assert await texts.of_step(asking("ask"), {"ask": "pv_x"}) is None


async def test_a_step_has_the_version_it_names_or_the_one_it_is_pinned_to(
    prompts: Prompts, principal: Principal
) -> None:
    named = await _made(prompts, principal, "Named")
    pinned = await _made(prompts, principal, "Pinned")
    row = await Prompt.get(name="Named")
    texts = PromptTexts()

    of_named = await texts.of_step(using(row, named), {"ask": pinned})
    of_pinned = await texts.of_step(using(row), {"ask": pinned})

    assert of_named is not None
    assert of_pinned is not None
    assert (of_named.version_id, of_pinned.version_id) == (named, pinned)


async def test_a_version_that_is_gone_fails_its_step(
    prompts: Prompts, principal: Principal
) -> None:
    row = await prompts.create(principal, prompt_draft())

    for pins in ({}, {"ask": ids.new_id(ids.Kind.PROMPT_VERSION)}):
        with pytest.raises(StepFailed) as failure:
            await PromptTexts().of_step(using(row), pins)
        assert (failure.value.error_code, failure.value.is_retryable) == ("PROMPT_MISSING", False)
