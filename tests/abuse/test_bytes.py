"""Proves that broken HTTP and broken frames are turned down, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from promptpilot.front.limits import Limits
from tests.abuse.raw import BINARY, PING, TEXT, frame, line, open_files, request
from tests.front.endpoint import Front, serving
from tests.front.sample import Probe
from tests.support.waiting import wait_until

QUERY = b'{"query": "{ hello }"}'
INIT = frame(b'{"type": "connection_init"}')

REQUESTS = {
    "no HTTP": b"\x00\x01\x02\x03\r\n\r\n",
    "a bad request line": b"POST /graphql\r\n\r\n",
    "a bad length": b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
    "two lengths": b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n"
    b"content-length: 2\r\n\r\n",
    "a huge length": request(b"", "content-type: application/json").replace(
        b"content-length: 0", b"content-length: 99999999999"
    ),
    "a bad chunk": b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "a body without a type": b"POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}",
    "invalid UTF-8 in the query string": b"GET /graphql?query=%ff%fe HTTP/1.1\r\nhost: a\r\n"
    b"accept: application/graphql-response+json\r\n\r\n",
    "a batch": request(b"[" + b",".join([QUERY] * 100) + b"]"),
    "a key that stands twice": request(b'{"query": "{ hello }", "query": "{ hello }"}'),
    "a socket of another protocol": b"GET /graphql HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\n"
    b"connection: upgrade\r\n\r\n",
}
FRAMES = {
    "not masked": (INIT + frame(b"{}", is_masked=False), {1002}),
    "a reserved bit": (INIT + frame(b"{}", first=0xF0), {1002}),
    "an unknown opcode": (INIT + frame(b"{}", 5), {1002}),
    "a ping in parts": (INIT + frame(b"", PING, first=0), {1002}),
    "a long ping": (INIT + frame(b"x" * 126, PING), {1002}),
    "a part of nothing": (INIT + frame(b"{}", 0), {1002}),
    "a text within a text": (INIT + frame(b"{", TEXT, first=0) + frame(b"}", TEXT), {1002}),
    "invalid UTF-8": (INIT + frame(b"\xff\xfe"), {1007}),
    "a binary message": (INIT + frame(b"{}", BINARY), {4400}),
    "a message over the limit": (INIT + frame(b" " * 300_000), {1009}),
    "50,000 brackets": (INIT + frame(b"[" * 50_000), {4400}),
    "a key that stands twice": (frame(b'{"type": "ping", "type": "ping"}'), {4400}),
    "an array": (INIT + frame(b"[]"), {4400}),
    "null": (INIT + frame(b"null"), {4400}),
    "no introduction": (frame(b'{"type":"subscribe","id":"1","payload":{"query":"x"}}'), {4401}),
    "two introductions": (INIT + INIT, {4429}),
    "an answer is under way": (INIT + frame(b'{"type": "ping"}') + frame(b"", 5), {1002}),
    "a breach besides": (INIT + frame(b"[]") + frame(b"", 5), {1002, 4400}),
    "a code that may not be sent": (frame(b"\x03\xed", 8), {1002}),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_broken_http_is_turned_down(port: int, name: str) -> None:
    async with line(port) as client:
        await client.send(REQUESTS[name])

        status = await client.status()

    assert status is not None
    assert 400 <= status < 500


@pytest.mark.parametrize("name", FRAMES)
async def test_broken_frames_close_the_socket_with_the_right_code(
    port: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent, codes = FRAMES[name]
    async with line(port) as client:
        await client.upgrade()
        await client.send(sent)

        assert await client.close_code() in codes
    assert "ASGI" not in caplog.text  # the application did not fail


async def test_a_body_that_does_not_come_is_not_waited_for(probe: Probe) -> None:
    front = Front(probe, Limits(timeout=timedelta(milliseconds=50)))
    async with serving(front) as server, line(server.port) as client:
        await client.send(request(QUERY)[:-1])

        assert await client.status() == 408


async def test_a_body_over_the_limit_is_not_read(port: int) -> None:
    async with line(port) as client:
        await client.send(request(b" " * 10_000_000)[:1_000_000])

        assert await client.status() == 413


async def test_a_flood_of_introspection_is_answered_and_does_not_pile_up(port: int) -> None:
    query = "{ __schema { types { name fields { name type { name ofType { name } } } } } }"
    body = request(json.dumps({"query": query}).encode())

    async def ask() -> int | None:
        async with line(port) as client:
            await client.send(body)
            return await client.status()

    assert set(await asyncio.gather(*(ask() for _ in range(50)))) == {200}


@pytest.mark.parametrize(
    "sent", [b"", request(QUERY)[:40], request(QUERY), INIT, INIT + frame(b"{", first=0)]
)
async def test_who_hangs_up_leaves_no_file_open(port: int, sent: bytes) -> None:
    before = open_files()

    for _ in range(50):
        async with line(port) as client:
            if sent.startswith(INIT):
                await client.upgrade()
            await client.send(sent)

    async def is_as_before() -> bool:
        return open_files() <= before

    await wait_until(is_as_before, 10)
