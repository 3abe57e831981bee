"""Proves that a token of a megabyte costs its sender the answer, and nobody else anything."""

from __future__ import annotations

import json

import pytest

from tests.abuse.conftest import Site
from tests.abuse.raw import frame, line, request

_TOKEN = "Bearer " + "a" * 1_000_000
_QUERY = json.dumps({"query": "{ viewer { id } }"}).encode()


@pytest.mark.parametrize("target", ["/graphql", "/api/events"])
async def test_a_request_with_a_megabyte_of_token_is_refused_before_it_is_read(
    target: str, site: Site
) -> None:
    async with line(site.port) as client:
        await client.send(request(_QUERY, f"authorization: {_TOKEN}", target=target))
        refusal = await client.status()

    async with line(site.port) as other:
        await other.send(request(_QUERY, f"authorization: Bearer {site.token}"))
        answer = await other.status()

    assert (refusal, answer) == (400, 200)


async def test_a_socket_with_a_megabyte_of_token_is_closed_before_it_is_read(site: Site) -> None:
    init = {"type": "connection_init", "payload": {"authorization": _TOKEN}}

    async with line(site.port) as client:
        await client.upgrade()
        await client.send(frame(json.dumps(init).encode()))
        code = await client.close_code()

    assert code == 1009


async def test_a_socket_with_the_longest_message_is_told_what_an_unknown_token_is(
    site: Site,
) -> None:
    init = {"type": "connection_init", "payload": {"authorization": _TOKEN[:200_000]}}

    async with line(site.port) as client:
        await client.upgrade()
        await client.send(frame(json.dumps(init).encode()))
        code = await client.close_code()

    assert code == 4403
