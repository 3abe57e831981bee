"""Whoever another server signs in works with PromptPilot from the first request on."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.caller import Caller, calling, free_port
from tests.support.identity_provider import IdentityProvider, identity_provider
from tests.support.installation import Installation

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

_END_SECONDS = 20
_WORKFLOW = """mutation { createWorkflow(input: {
  name: "Mine", steps: [{ name: "one", config: { transform: { set: { x: "1" } } } }]
}) { workflow { id } errors { message } } }"""


async def test_identity_tokens_open_what_sessions_open(database_url: str, tmp_path: Path) -> None:
    async with identity_provider() as issuer, _served(database_url, tmp_path, issuer) as caller:
        caller.token = issuer.token("ada", name="Ada")
        made = await _ask(caller, _WORKFLOW)
        again = await _ask(caller, "{ viewer { name } workflows { nodes { name } } }")
        caller.token = issuer.token("eve")
        others = await _ask(caller, "{ workflows { nodes { name } } }")

    assert made["createWorkflow"]["errors"] == []
    assert again == {"viewer": {"name": "Ada"}, "workflows": {"nodes": [{"name": "Mine"}]}}
    assert others == {"workflows": {"nodes": []}}
    assert len(issuer.journal.requests) == 2


async def test_tokens_that_are_not_for_this_server_open_nothing(
    database_url: str, tmp_path: Path
) -> None:
    async with identity_provider() as issuer, _served(database_url, tmp_path, issuer) as caller:
        answers = []
        for changes in ({"aud": "another"}, {"exp": 1}, {"sub": ""}):
            caller.token = issuer.token("ada", **changes)
            answers.append(await _post(caller, "{ viewer { id } }"))

    assert {each.status_code for each in answers} == {401}


async def _ask(caller: Caller, query: str) -> Any:
    return (await _post(caller, query)).json()["data"]


async def _post(caller: Caller, query: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {caller.token}"}
    return await caller.http.post("/graphql", json={"query": query}, headers=headers)


@asynccontextmanager
async def _served(
    database_url: str, folder: Path, issuer: IdentityProvider
) -> AsyncIterator[Caller]:
    """Run everything in one process that takes the tokens of an issuer."""
    port = free_port()
    settings = {
        "DATABASE_URL": database_url,
        "PROMPTPILOT_PORT": str(port),
        "PROMPTPILOT_OIDC_ISSUER": issuer.url(),
    }
    installation = Installation(folder, settings)
    process = installation.start("up")
    try:
        async with calling(port) as caller:
            yield await caller.until_served()
        process.send(signal.SIGTERM)
        assert await process.ended(within=_END_SECONDS) == 0, process.tail()
    finally:
        installation.remove()
