"""Proves that pages of other sites may call when the operator names them, and else may not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from promptpilot.app import create_app
from promptpilot.backbone import open_backbone
from tests.support.backbones import settings_for
from tests.support.redis import RedisServer

FRIEND, STRANGER = "https://app.example", "https://evil.example"
ASKS = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


@pytest.fixture
async def client(database_url: str, redis_server: RedisServer) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of an application that one site may call."""
    settings = settings_for(database_url, redis_server.url, ALLOWED_ORIGINS=FRIEND)
    async with open_backbone(settings, []) as backbone:
        transport = httpx2.ASGITransport(create_app(backbone, backbone.engine()))
        async with httpx2.AsyncClient(transport=transport, base_url="http://pp") as client:
            yield client


async def test_a_site_that_is_named_passes_its_preflight(client: httpx2.AsyncClient) -> None:
    answer = await client.options("/graphql", headers={"origin": FRIEND, **ASKS})

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_site_that_is_not_named_fails_its_preflight(client: httpx2.AsyncClient) -> None:
    answer = await client.options("/graphql", headers={"origin": STRANGER, **ASKS})

    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("origin", "allowed"), [(FRIEND, FRIEND), (STRANGER, None)])
async def test_an_answer_is_shown_to_the_sites_that_are_named_alone(
    client: httpx2.AsyncClient, origin: str, allowed: str | None
) -> None:
    body = {"query": "{ serverInfo { version } }"}

    answer = await client.post("/graphql", json=body, headers={"origin": origin})

    assert answer.status_code == 200
    assert answer.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x"])
async def test_what_needs_no_preflight_is_not_executed(
    client: httpx2.AsyncClient, content_type: str
) -> None:
    headers = {"origin": STRANGER, "content-type": content_type}

    answer = await client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)

    assert answer.status_code == 415
