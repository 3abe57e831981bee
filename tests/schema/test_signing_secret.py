"""Proves that the secret that signs requests is shown once, and is the caller's own."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.principal import Principal
from tests.schema.api import Api

SHOWN = "{ signingSecret { preview previousValidUntil updatedAt } }"
ROTATED = "secret signingSecret { preview previousValidUntil updatedAt } errors { code path }"


async def _rotate(api: Api, **given: Any) -> dict[str, Any]:
    return await api.mutate("rotateSigningSecret", given, ROTATED)


async def test_the_text_of_a_secret_is_shown_once(api: Api) -> None:
    payload = await _rotate(api)

    found = await api.run(SHOWN)
    assert payload["errors"] == []
    assert payload["secret"].startswith("whsec_")
    assert found["signingSecret"] == payload["signingSecret"]
    assert payload["secret"] not in str(found)


async def test_the_previous_secret_goes_on_signing_for_a_while(api: Api) -> None:
    first = await _rotate(api)

    second = await _rotate(api, graceSeconds=60)

    assert second["secret"] != first["secret"]
    assert second["signingSecret"]["previousValidUntil"] == "2026-09-01T12:01:30Z"
    assert second["signingSecret"]["updatedAt"] == "2026-09-01T12:00:30Z"


@pytest.mark.parametrize("seconds", [-1, 2**31 - 1])
async def test_a_grace_that_cannot_be_is_named(seconds: int, api: Api) -> None:
    payload = await _rotate(api, graceSeconds=seconds)

    assert (payload["secret"], payload["signingSecret"]) == (None, None)
    assert payload["errors"] == [{"code": "INVALID_INPUT", "path": ["input", "graceSeconds"]}]


async def test_each_workspace_has_a_secret_of_its_own(api: Api, stranger: Principal) -> None:
    before = await api.seen_by(stranger).run(SHOWN)
    mine = await _rotate(api)

    after = await api.seen_by(stranger).run(SHOWN)
    theirs = await _rotate(api.seen_by(stranger))

    assert (before["signingSecret"], after["signingSecret"]) == (None, None)
    assert theirs["secret"] != mine["secret"]
