"""Proves what the way to providers keeps, closes and bounds, whatever library uses it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.dialer import Dialer
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.providers.transport import ProviderHttp, ProviderTimes
from promptpilot.errors import StepFailed
from tests.engine.egress.test_dialer import PUBLIC, Names, Sockets
from tests.support.certificates import make_certificate
from tests.support.hostile import HostileServer, hostile_server
from tests.support.scripted_provider import Said, ScriptedProvider, scripted_provider

LOOPBACK = AllowList.of(["127.0.0.0/8"])
TIMES = ProviderTimes(connect=2.0, first_token=0.3, idle=0.2)
EVENTS = {"Content-Type": "text/event-stream", "Connection": "close"}


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    """Give a way to this machine that loses patience soon."""
    opened = ProviderHttp(LOOPBACK, TIMES, HttpLimits(max_body_bytes=100_000))
    yield opened
    await opened.aclose()


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a hostile server of this test."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    """Give a server that says what the test writes down."""
    async with scripted_provider() as running:
        yield running


async def test_a_process_has_one_client_until_it_is_closed() -> None:
    http = ProviderHttp()
    first = http.client()

    assert http.client() is first
    await http.aclose()
    await http.aclose()

    assert first.is_closed
    assert http.client() is not first
    await http.aclose()


@pytest.mark.parametrize("path", ["/json", "/gzip", "/deflate", "/chunked"])
async def test_a_body_arrives_unpacked(
    server: HostileServer, http: ProviderHttp, path: str
) -> None:
    answer = await http.client().get(server.url(path))

    assert answer.json()["ok"] is True
    assert "content-encoding" not in answer.headers


async def test_pieces_of_a_packed_stream_arrive_as_they_come(
    provider: ScriptedProvider, http: ProviderHttp
) -> None:
    packed = gzip.compress(b"data: 1\n\ndata: 2\n\n")
    pieces = tuple(packed[at : at + 5] for at in range(0, len(packed), 5))
    provider.says = Said(pieces, headers={**EVENTS, "Content-Encoding": "gzip"})

    answer = await http.client().get(provider.url())

    assert answer.content == b"data: 1\n\ndata: 2\n\n"


async def test_a_stream_may_be_longer_than_a_body(
    provider: ScriptedProvider, http: ProviderHttp
) -> None:
    provider.says = Said((b"data: " + b"x" * 10_000 + b"\n\n",) * 30, headers=EVENTS)

    answer = await http.client().get(provider.url())

    assert len(answer.content) > 300_000


async def test_one_event_of_a_stream_is_bounded(
    provider: ScriptedProvider, http: ProviderHttp
) -> None:
    provider.says = Said((b"data: " + b"x" * 10_000 + b"\n",) * 200, headers=EVENTS)

    with pytest.raises(StepFailed, match="one event") as caught:
        await http.client().get(provider.url())

    assert caught.value.error_code == "RESPONSE_TOO_LARGE"


async def test_a_slow_stream_is_read_while_it_goes_on(
    server: HostileServer, http: ProviderHttp
) -> None:
    answer = await http.client().get(server.url("/drip/30"))

    assert answer.content == b"1" * 30


async def test_no_cookie_is_kept(server: HostileServer, http: ProviderHttp) -> None:
    answer = await http.client().get(server.url("/with-cookie"))

    assert "set-cookie" not in answer.headers
    assert not http.client().cookies


@pytest.mark.parametrize("path", ["/hang", "/hang-after-head", "/endless"])
async def test_whoever_gives_up_closes_the_connection(
    server: HostileServer, http: ProviderHttp, path: str
) -> None:
    with pytest.raises(StepFailed):
        await http.client().get(server.url(path))

    [seen] = server.journal.requests
    await seen.wait_until_closed()
    assert seen.is_abandoned


async def test_cancelling_closes_the_connection(server: HostileServer) -> None:
    http = ProviderHttp(LOOPBACK)
    task = asyncio.create_task(http.client().get(server.url("/hang")))
    [seen] = await server.journal.wait_for("/hang")

    task.cancel()
    await asyncio.wait([task])

    await seen.wait_until_closed()
    await http.aclose()
    assert seen.is_abandoned


async def test_a_certificate_of_nobody_is_refused(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "secure.example")
    async with hostile_server(tls=certificate.of_server()) as server:
        http = ProviderHttp(LOOPBACK, TIMES)

        with pytest.raises(StepFailed, match="certificate") as caught:
            await http.client().get(server.url("/json"))

        await http.aclose()
    assert caught.value.error_code == "NETWORK"
    assert not caught.value.is_outcome_unknown


async def test_a_conversation_is_encrypted_with_the_server_that_the_url_names(
    tmp_path: Path,
) -> None:
    certificate = make_certificate(tmp_path, "secure.example")
    async with hostile_server(tls=certificate.of_server()) as server:
        dialer = Dialer(AllowList(), Names([PUBLIC]), Sockets(server.port))
        http = ProviderHttp(dialer=dialer, tls=certificate.of_client())

        answer = await http.client().get("https://secure.example/json")

        await http.aclose()
    assert answer.json()["ok"] is True
    assert certificate.names_asked == ["secure.example"]
