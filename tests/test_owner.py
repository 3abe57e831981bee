"""The owner of an embedded installation is made once and found again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from promptpilot.backbone import open_backbone
from promptpilot.engine.api import Engine
from promptpilot.models import AccessToken, Trigger, User
from promptpilot.owner import find_owner, has_example, make_owner
from tests.support.backbones import settings_for
from tests.support.redis import RedisServer


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
