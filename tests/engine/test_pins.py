"""Proves that an execution runs with the prompts that were current when it was stored."""

from __future__ import annotations

import pytest

from promptpilot import ids
from promptpilot.engine.launch import LaunchRequest
from promptpilot.engine.principal import Principal
from promptpilot.engine.prompt_drafts import PromptChange
from promptpilot.engine.prompts import Prompts
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.models import Prompt
from promptpilot.models.database import Database
from tests.schema.counting import counted
from tests.support.bench import Bench
from tests.support.drafts import transform
from tests.support.models import workflow
from tests.support.prompts import prompt_draft, using
from tests.support.repeating import Repeater


@pytest.fixture
def repeater(bench: Bench, principal: Principal) -> Repeater:
    """Give what runs executions and repeats them."""
    return Repeater(bench, principal)


@pytest.fixture
async def prompt(prompts: Prompts, principal: Principal) -> Prompt:
    """Give a stored prompt."""
    return await prompts.create(principal, prompt_draft("First"))


async def _change(prompts: Prompts, principal: Principal, prompt: Prompt, content: str) -> str:
    changed = await prompts.update(principal, PromptChange(id=prompt.id, content=content))
    assert changed.version is not None
    return changed.version.id


async def _pins(bench: Bench, execution_id: str) -> dict[str, str] | None:
    return (await bench.stored(execution_id)).prompt_versions


async def test_a_step_that_follows_a_prompt_is_pinned_to_its_current_version(
    bench: Bench, prompt: Prompt
) -> None:
    execution_id = await bench.launch(workflow(transform("a"), using(prompt)))

    assert await _pins(bench, execution_id) == {"ask": prompt.current_version_id}


async def test_nothing_is_pinned_without_a_prompt_that_is_followed(
    bench: Bench, prompt: Prompt
) -> None:
    pinned = using(prompt, prompt.current_version_id)

    assert await _pins(bench, await bench.launch(workflow(transform("a")))) is None
    assert await _pins(bench, await bench.launch(workflow(pinned))) is None


async def test_a_launch_asks_for_no_prompt_unless_one_is_followed(
    bench: Bench, prompt: Prompt
) -> None:
    pinned = using(prompt, prompt.current_version_id)
    for definition, count in ((workflow(pinned), 0), (workflow(using(prompt)), 1)):
        target = await bench.target(definition)
        asked = LaunchRequest(target=target, input={}, trigger_type=TriggerType.WEBHOOK)
        await bench.versions.get(target.version_id)

        with counted(bench.database) as statements:
            await bench.launcher.launch(asked)

        assert sum('"prompts"' in each for each in statements) == count


async def test_a_prompt_that_does_not_exist_is_not_pinned_and_fails_its_step(
    repeater: Repeater,
) -> None:
    execution_id = await repeater.run(workflow(using(ids.new_id(ids.Kind.PROMPT))))

    row = await repeater.bench.stored(execution_id)
    assert (row.status, row.prompt_versions) == ("FAILED", None)
    assert row.error is not None
    assert row.error["code"] == "PROMPT_MISSING"


async def test_a_prompt_of_another_workspace_is_not_pinned(
    bench: Bench, prompts: Prompts, stranger: Principal
) -> None:
    foreign = await prompts.create(stranger, prompt_draft())

    assert await _pins(bench, await bench.launch(workflow(using(foreign)))) is None


async def test_a_deleted_prompt_goes_on_for_what_was_started(
    bench: Bench, prompts: Prompts, principal: Principal, prompt: Prompt
) -> None:
    execution_id = await bench.launch(workflow(using(prompt)))
    await prompts.delete(principal, prompt.id)

    assert (await bench.finish(execution_id)).status == "COMPLETED"


async def test_a_repeat_keeps_the_versions(
    repeater: Repeater, prompts: Prompts, principal: Principal, prompt: Prompt
) -> None:
    first_id = prompt.current_version_id
    execution_id = await repeater.run(workflow(using(prompt)))
    await _change(prompts, principal, prompt, "Second")

    launched = await repeater.launch_repeat(execution_id)

    assert await _pins(repeater.bench, launched.execution_id) == {"ask": first_id}


async def test_a_repeat_of_the_newest_version_takes_the_current_prompt(
    repeater: Repeater, prompts: Prompts, principal: Principal, prompt: Prompt
) -> None:
    definition = workflow(using(prompt))
    execution_id = await repeater.run(definition)
    second_id = await _change(prompts, principal, prompt, "Second")
    await repeater.change(execution_id, definition)

    launched = await repeater.launch_repeat(execution_id, use_newest_version=True)

    assert await _pins(repeater.bench, launched.execution_id) == {"ask": second_id}


async def test_a_step_that_is_taken_over_shows_the_version_that_it_ran_with(
    repeater: Repeater, prompts: Prompts, principal: Principal, prompt: Prompt
) -> None:
    first_id = prompt.current_version_id
    definition = workflow(using(prompt, name="before"), using(prompt))
    execution_id = await repeater.run(definition)
    second_id = await _change(prompts, principal, prompt, "Second")
    await repeater.change(execution_id, definition)

    launched = await repeater.launch_repeat(execution_id, "ask", use_newest_version=True)

    pins = await _pins(repeater.bench, launched.execution_id)
    assert pins == {"before": first_id, "ask": second_id}


async def test_a_repeat_pins_what_was_not_pinned_before(
    repeater: Repeater, prompt: Prompt, database: Database
) -> None:
    execution_id = await repeater.run(workflow(using(prompt)))
    await database.execute(
        "UPDATE executions SET prompt_versions = NULL WHERE id = $1", execution_id
    )

    launched = await repeater.launch_repeat(execution_id)

    assert await _pins(repeater.bench, launched.execution_id) == {"ask": prompt.current_version_id}
