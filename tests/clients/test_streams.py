"""Proves that the clients of the web query, mutate, subscribe and see errors, each its own way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from promptpilot.front.persisted import PersistedDocuments
from tests.front.endpoint import Front, serving
from tests.front.sample import Probe
from tests.support.node import run_node

EXPECTED = [
    [{"hello": "Hello, world!"}],
    [{"rename": "Ada"}],
    [{"count": 0}, {"count": 1}, {"count": 2}],
]
WRONG = "Cannot query field 'nothing' on type 'Query'."


@pytest.fixture
async def told() -> dict[str, Any]:
    """Return what each client was answered."""
    async with serving(Front(Probe(), persisted=PersistedDocuments())) as server:
        url = f"http://127.0.0.1:{server.port}/graphql"
        found: dict[str, Any] = json.loads(await asyncio.to_thread(run_node, "streams.mjs", url))
    return found


async def test_every_client_is_answered(told: dict[str, Any]) -> None:
    assert {name: each["all"] for name, each in told.items()} == dict.fromkeys(
        ("graphql-ws", "graphql-sse", "urql", "apollo"), EXPECTED
    )


async def test_every_client_sees_what_was_wrong(told: dict[str, Any]) -> None:
    wrong = {name: each["wrong"] for name, each in told.items()}

    assert wrong.pop("graphql-sse")["answered"][0]["errors"][0]["message"] == WRONG
    assert wrong == {name: {"failed": WRONG} for name in ("graphql-ws", "urql", "apollo")}
