"""Proves that nobody holds a connection by sending the head of a request slowly or without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn

from promptpilot.http_protocol import BoundedHttp
from tests.abuse.raw import line, request
from tests.front.endpoint import Front
from tests.front.sample import Probe

QUERY = b'{"query": "{ hello }"}'


class Hasty(BoundedHttp):
    """Waits for a moment only."""

    head_seconds = 0.1


@pytest.fixture
async def hasty(probe: Probe) -> AsyncIterator[int]:
    """Give the port of a server that waits for a moment only."""
    config = uvicorn.Config(Front(probe).app(), http=Hasty, port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    await server.shutdown()


@pytest.mark.parametrize(
    "sent", [b"", b"P", request(QUERY)[:60], request(QUERY) + request(QUERY)[:60]]
)
async def test_a_head_that_does_not_come_is_not_waited_for(hasty: int, sent: bytes) -> None:
    async with line(hasty) as client:
        await client.send(sent)

        async with asyncio.timeout(5):
            answered = await client.reader.read()

    assert answered.count(b"HTTP/1.1 200") == sent.count(QUERY)


@pytest.mark.parametrize("sent", [b"\r", b"\r\n", b"\r\n\r\n"])
async def test_empty_lines_after_a_request_hold_no_connection(hasty: int, sent: bytes) -> None:
    async with line(hasty) as client:
        await client.send(request(QUERY))
        await client.reader.readuntil(b"}}}")
        await client.send(sent)

        async with asyncio.timeout(5):
            assert await client.reader.read() == b""


async def test_a_body_may_take_longer_than_a_head(hasty: int) -> None:
    whole = request(QUERY)
    async with line(hasty) as client:
        await client.send(whole[:-1])
        async with line(hasty) as other:  # it is hung up on after the time for a head
            await other.reader.read()
        await client.send(whole[-1:])

        assert await client.status() == 200


@pytest.mark.parametrize(
    "head",
    [
        b"x-flood: " + b"a" * 100_000,
        b"".join(b"x-%d: a\r\n" % n for n in range(20_000)) + b"x: ",
        b"x-flood: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_a_head_without_end_is_turned_down(port: int, head: bytes) -> None:
    async with line(port) as client:
        await client.send(b"POST /graphql HTTP/1.1\r\nhost: a\r\n" + head)

        assert await client.status() == 400


async def test_requests_on_one_connection_are_served_one_after_another(port: int) -> None:
    async with line(port) as client:
        for _ in range(3):
            await client.send(request(QUERY))
            assert await client.status() == 200
            await client.reader.readuntil(b"}}}")
