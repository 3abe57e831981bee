"""The owner of an embedded installation is made once and found again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from promptpilot.backbone import open_backbone
from promptpilot.engine.api import Engine
from promptpilot.engine.drafts import WorkflowChange
from promptpilot.engine.step_configs import ModelProvider, ModelTarget, PromptConfig
from promptpilot.example import SIMULATED, target_for
from promptpilot.models import AccessToken, Trigger, User, Workflow
from promptpilot.owner import Owner, find_owner, has_example, keep_up_example, make_owner
from tests.support.backbones import settings_for
from tests.support.redis import RedisServer

_SMALL = target_for({"OPENAI"})


@pytest.fixture
async def engine(database_url: str, redis_server: RedisServer) -> AsyncIterator[Engine]:
    """Give a whole engine."""
    settings = settings_for(database_url, redis_server.url)
    async with open_backbone(settings, []) as backbone:
        yield backbone.engine()


async def test_an_owner_is_found_again(engine: Engine, tmp_path: Path) -> None:
    made = await make_owner(engine, tmp_path)

    assert await find_owner(engine, tmp_path) == made
    assert await has_example(made)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"access_token": "x"}'])
async def test_a_file_that_says_nothing_finds_nobody(
    engine: Engine, tmp_path: Path, content: str
) -> None:
    (tmp_path / "owner.json").write_text(content)

    assert await find_owner(engine, tmp_path) is None


async def test_a_revoked_token_finds_nobody(engine: Engine, tmp_path: Path) -> None:
    made = await make_owner(engine, tmp_path)
    principal = await engine.identify(made.access_token)
    token = await AccessToken.get(user_id=principal.user_id)

    await engine.revoke_access_token(principal, token.id)

    assert await find_owner(engine, tmp_path) is None


async def test_an_owner_without_a_file_is_made_again_on_the_same_account(
    engine: Engine, tmp_path: Path
) -> None:
    first = await make_owner(engine, tmp_path)

    second = await make_owner(engine, tmp_path)

    assert await User.all().count() == 1
    assert second.access_token != first.access_token
    assert await has_example(first)


async def test_a_deleted_trigger_is_not_shown(engine: Engine, tmp_path: Path) -> None:
    made = await make_owner(engine, tmp_path)

    await Trigger.filter(id=made.trigger_id).delete()

    assert not await has_example(made)


async def test_nothing_that_is_kept_is_the_password(engine: Engine, tmp_path: Path) -> None:
    await make_owner(engine, tmp_path)

    kept = json.loads((tmp_path / "owner.json").read_text())

    assert set(kept) == {"access_token", "trigger_id", "trigger_secret"}


async def _asked(engine: Engine, owner: Owner) -> list[ModelTarget]:
    """Return the models that the steps of the example ask now."""
    trigger = await Trigger.get(id=owner.trigger_id)
    workflow = await Workflow.get(id=trigger.workflow_id)
    definition = await engine.parts.versions.get(workflow.current_version_id)
    configs = [step.config for step in definition.steps]
    return [each for one in configs if isinstance(one, PromptConfig) for each in one.models]


async def test_the_example_asks_the_model_that_it_was_made_for(
    engine: Engine, tmp_path: Path
) -> None:
    made = await make_owner(engine, tmp_path, _SMALL)

    assert await _asked(engine, made) == [_SMALL, _SMALL]


async def test_an_example_that_nobody_touched_follows_the_keys_of_the_server(
    engine: Engine, tmp_path: Path
) -> None:
    made = await make_owner(engine, tmp_path)

    for target in (_SMALL, _SMALL, SIMULATED):
        assert await keep_up_example(engine, made, target)
        assert await _asked(engine, made) == [target, target]
    assert (await Workflow.get()).revision == 3


async def test_an_example_that_somebody_changed_is_left_alone(
    engine: Engine, tmp_path: Path
) -> None:
    made = await make_owner(engine, tmp_path)
    principal = await engine.identify(made.access_token)
    definition = await engine.parts.versions.get((await Workflow.get()).current_version_id)
    change = WorkflowChange(id=(await Workflow.get()).id, steps=definition.steps[:1])
    await engine.update_workflow(principal, replace(change, variables=definition.variables[:1]))

    assert not await keep_up_example(engine, made, _SMALL)
    assert (await Workflow.get()).revision == 2


async def test_a_model_that_a_person_chose_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    chosen = ModelTarget(ModelProvider.OPENAI, "the one that I like")
    made = await make_owner(engine, tmp_path, chosen)

    assert not await keep_up_example(engine, made, SIMULATED)
    assert await _asked(engine, made) == [chosen, chosen]


async def test_without_its_trigger_there_is_no_example_to_keep_up(
    engine: Engine, tmp_path: Path
) -> None:
    made = await make_owner(engine, tmp_path)
    await Trigger.filter(id=made.trigger_id).delete()

    assert not await keep_up_example(engine, made, _SMALL)
