"""Proves that a request that is given up closes its connection, and that memory stays small."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.egress.messages import HttpRequest
from promptpilot.errors import StepFailed
from tests.support.hostile import HostileServer

#: What loopback may hold between two processes beside what was read.
_KERNEL_BYTES = 15_000_000
_MAX_BODY_BYTES = 1_000_000
PATIENT = HttpLimits(max_body_bytes=_MAX_BODY_BYTES)


@asynccontextmanager
async def deaf_server() -> AsyncIterator[tuple[str, asyncio.Queue[asyncio.StreamReader]]]:
    """Run a server that reads nothing; give its URL and the connections that it took."""
    taken: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await taken.put(reader)

    async with await asyncio.start_server(take, "127.0.0.1", 0) as listening:
        yield f"://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", taken
        for writer in writers:
            writer.close()


async def size_until_end(reader: asyncio.StreamReader) -> int:
    """Return how many bytes come until the connection ends, properly or by a reset."""
    size = 0
    with suppress(ConnectionError):
        while data := await reader.read(100_000):
            size += len(data)
    return size


@pytest.fixture
def patient() -> HttpClient:
    """Give a client that waits longer than any test."""
    return HttpClient(AllowList.of(["127.0.0.1"]), PATIENT)


@pytest.mark.parametrize("path", ["/hang", "/hang-after-head", "/drip"])
async def test_cancelling_closes_the_connection_within_a_second(
    server: HostileServer, patient: HttpClient, path: str
) -> None:
    sending = asyncio.ensure_future(patient.send(HttpRequest("POST", server.url(path), (), b"{}")))
    (seen,) = await server.journal.wait_for(path)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    async with asyncio.timeout(1):
        await seen.closed.wait()
    assert seen.is_abandoned


async def test_a_time_limit_of_the_caller_stays_the_callers(
    server: HostileServer, patient: HttpClient
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await patient.send(HttpRequest("GET", server.url("/hang")))

    (seen,) = server.journal.requests
    await seen.wait_until_closed()
    assert seen.is_abandoned


async def test_cancelling_while_a_large_body_is_sent_closes_the_connection() -> None:
    async with deaf_server() as (url, taken):
        client = HttpClient(AllowList.of(["127.0.0.1"]))
        sending = asyncio.ensure_future(
            client.send(HttpRequest("PUT", f"http{url}", (), bytes(50_000_000)))
        )
        reader = await taken.get()

        sending.cancel()
        await asyncio.wait([sending])

        async with asyncio.timeout(1):
            assert await size_until_end(reader) < 50_000_000


@pytest.mark.parametrize(
    "path",
    ["/huge/100", "/huge-unannounced/100", "/endless", "/gzip-bomb/100", "/deflate-bomb/100"],
)
async def test_an_answer_without_measure_is_broken_off_and_never_held(
    server: HostileServer, patient: HttpClient, path: str
) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(StepFailed) as caught:
            await patient.send(HttpRequest("GET", server.url(path)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (seen,) = server.journal.requests
    await seen.wait_until_closed()

    assert caught.value.error_code == "RESPONSE_TOO_LARGE"
    assert caught.value.details == {"limitBytes": _MAX_BODY_BYTES}
    assert seen.bytes_sent < _KERNEL_BYTES
    assert peak < 10 * _MAX_BODY_BYTES


async def test_the_limit_of_a_body_is_ten_million_bytes_unless_told_otherwise(
    server: HostileServer,
) -> None:
    client = HttpClient(AllowList.of(["127.0.0.1"]))

    answer = await client.send(HttpRequest("GET", server.url("/huge/10")))
    with pytest.raises(StepFailed):
        await client.send(HttpRequest("GET", server.url("/gzip-bomb/11")))

    assert len(answer.body) == 10_000_000


async def test_cancelling_a_handshake_closes_the_connection(patient: HttpClient) -> None:
    async with deaf_server() as (url, taken):
        sending = asyncio.ensure_future(patient.send(HttpRequest("GET", f"https{url}")))
        reader = await taken.get()
        await reader.read(1)

        sending.cancel()
        await asyncio.wait([sending])

        async with asyncio.timeout(1):
            await size_until_end(reader)
