"""Proves that what the operator sets about GraphQL is what the application does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from promptpilot.app import create_app
from promptpilot.backbone import open_backbone
from promptpilot.front.limits import Limits
from promptpilot.graphql_terms import limits_of
from promptpilot.settings import Settings
from tests.support.backbones import settings_for
from tests.support.redis import RedisServer

QUERY = "{ serverInfo { limits { maxQueryDepth maxQueryCost } } }"
OPENED = Callable[..., Awaitable["Ask"]]
Ask = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture
async def opened(database_url: str, redis_server: RedisServer) -> AsyncIterator[OPENED]:
    """Open applications with settings of the test; each is asked by what it gives."""
    async with AsyncExitStack() as stack:

        async def open_app(**given: str) -> Ask:
            settings = settings_for(database_url, redis_server.url, **given)
            backbone = await stack.enter_async_context(open_backbone(settings, []))
            transport = httpx2.ASGITransport(create_app(backbone, backbone.engine()))
            client = httpx2.AsyncClient(transport=transport, base_url="http://pp")
            await stack.enter_async_context(client)

            async def ask(**body: Any) -> httpx2.Response:
                accept = {"accept": "application/graphql-response+json"}
                return await client.post("/graphql", json=body, headers=accept)

            return ask

        yield open_app


def test_the_defaults_of_the_settings_are_those_of_the_front() -> None:
    limits = limits_of(Settings.from_env({}))

    assert limits == Limits(patience=limits.patience)


async def test_clients_can_read_the_limits_that_hold(opened: OPENED) -> None:
    ask = await opened(GRAPHQL_MAX_DEPTH="9", GRAPHQL_MAX_COST="321")

    answer = (await ask(query=QUERY)).json()

    assert answer["data"]["serverInfo"]["limits"] == {"maxQueryDepth": 9, "maxQueryCost": 321}
    assert answer["extensions"]["cost"]["maximum"] == 321


async def test_callers_without_a_token_are_counted_by_address(opened: OPENED) -> None:
    ask = await opened(GRAPHQL_ANONYMOUS_RATE="2")
    statuses = [(await ask(query=QUERY)).status_code for _ in range(2)]

    refused = await ask(query=QUERY)

    assert statuses == [200, 200]
    assert refused.status_code == 429
    assert refused.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_only_trusted_documents_are_executed_where_it_says_so(
    opened: OPENED, tmp_path: Path
) -> None:
    (tmp_path / "limits.graphql").write_text(QUERY)
    ask = await opened(TRUSTED_DOCUMENTS=str(tmp_path), ONLY_TRUSTED_DOCUMENTS="true")

    trusted, other = await ask(query=QUERY), await ask(query="{ viewer { id } }")

    assert trusted.status_code == 200
    assert other.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"


async def test_introspection_is_off_where_it_says_so(opened: OPENED) -> None:
    ask = await opened(INTROSPECTION="false")

    answer = await ask(query="{ __schema { queryType { name } } }")

    assert answer.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
