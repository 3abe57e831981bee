"""Proves that operations are streamed over SSE and multipart as the clients of each expect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from promptpilot.clock import SystemClock
from promptpilot.front.limits import Limits
from promptpilot.front.negotiation import RESPONSE
from promptpilot.front.streams import FRAMINGS, AnswerStream, Bodies, StreamTerms
from promptpilot.stopping import SERVER_STOPS
from tests.front.endpoint import Front, Server, serving
from tests.front.sample import SECRET, Probe

SSE = "text/event-stream"
APOLLO = f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{RESPONSE}"
URQL = f"{RESPONSE}, application/graphql+json, application/json, {SSE}, multipart/mixed"
COST = {"extensions": {"cost": {"requested": 0, "maximum": 5000}}}


@asynccontextmanager
async def streamed(
    server: Server, query: str, accept: str = SSE, **headers: str
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give the chunks of an answer while it comes."""
    base = f"http://127.0.0.1:{server.port}"
    async with (
        httpx2.AsyncClient(base_url=base, trust_env=False) as client,
        client.stream(
            "POST", "/graphql", json={"query": query}, headers={"accept": accept, **headers}
        ) as response,
    ):
        yield response.aiter_raw()


def events(text: str) -> list[tuple[str, Any]]:
    """Return the events of a stream: their names and data; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(":", 1) for line in block.split("\n") if line)
        if "event" in fields:
            data = fields["data"].strip()
            found.append((fields["event"].strip(), json.loads(data) if data else None))
    return found


def parts(text: str) -> list[Any]:
    """Return the parts of a multipart answer as Apollo's client cuts them."""
    pieces = text.split("\r\n--graphql")
    assert (pieces[0], pieces[-1]) == ("", "--\r\n")
    return [json.loads(piece.split("\r\n\r\n", 1)[1]) for piece in pieces[1:-1]]


@pytest.mark.parametrize("accept", [SSE, URQL, f"{SSE}, multipart/mixed;q=0.5"])
async def test_a_subscription_is_streamed_as_events(front: Front, accept: str) -> None:
    response = await front.ask("subscription { count(to: 2) }", accept)

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.text.startswith(":\n\n")
    assert "\r" not in response.text
    assert events(response.text) == [
        ("next", {"data": {"count": 0}, **COST}),
        ("next", {"data": {"count": 1}, **COST}),
        ("complete", None),
    ]


@pytest.mark.parametrize("query", ["{ hello }", 'mutation { rename(name: "x") }'])
async def test_a_client_of_streams_alone_gets_a_single_answer_as_one(
    front: Front, query: str
) -> None:
    response = await front.ask(query, SSE)

    assert [name for name, _ in events(response.text)] == ["next", "complete"]


@pytest.mark.parametrize("query", ["{ hello", "{ nothing }", "query A { hello } query B { hello }"])
async def test_a_client_of_streams_alone_is_refused_in_one(front: Front, query: str) -> None:
    response = await front.ask(query, SSE)

    (name, body), end = events(response.text)
    assert (response.status_code, name, end) == (200, "next", ("complete", None))
    assert set(body) == {"errors"}


async def test_urql_gets_its_queries_as_json(front: Front) -> None:
    response = await front.ask("{ hello }", URQL)

    assert response.headers["content-type"] == f"{RESPONSE}; charset=utf-8"


async def test_a_subscription_over_get_is_streamed(front: Front) -> None:
    response = await front.send("GET", SSE, params={"query": "subscription { count(to: 1) }"})

    assert events(response.text)[0] == ("next", {"data": {"count": 0}, **COST})


async def test_a_mutation_over_get_is_not_streamed(front: Front) -> None:
    response = await front.send("GET", SSE, params={"query": 'mutation { rename(name: "x") }'})

    assert response.status_code == 405


async def test_who_is_not_known_gets_no_stream(front: Front) -> None:
    response = await front.send(
        "POST",
        SSE,
        json={"query": "subscription { count(to: 1) }"},
        headers={"authorization": "Bearer wrong"},
    )

    assert response.status_code == 401


async def test_apollo_gets_multipart(front: Front) -> None:
    response = await front.ask("subscription { count(to: 2) }", APOLLO)

    assert response.headers["content-type"].startswith('multipart/mixed;boundary="graphql"')
    assert parts(response.text) == [
        {"payload": {"data": {"count": 0}, **COST}},
        {"payload": {"data": {"count": 1}, **COST}},
    ]


@pytest.mark.parametrize("accept", [SSE, APOLLO])
async def test_a_source_that_fails_ends_its_stream_behind_a_mask(front: Front, accept: str) -> None:
    response = await front.ask("subscription { failing(after: 1) }", accept)

    assert "Internal server error" in response.text
    assert SECRET not in response.text


async def test_a_stream_shows_that_it_is_alive(probe: Probe) -> None:
    limits = Limits(keep_alive=timedelta(milliseconds=5))
    async with (
        serving(Front(probe, limits)) as server,
        streamed(server, "subscription { forever }") as chunks,
    ):
        seen = b""
        while seen.count(b":\n\n") < 3:
            seen += await anext(chunks)

    assert seen.startswith(b":\n\n")


async def test_a_client_that_goes_closes_the_source(server: Server, probe: Probe) -> None:
    async with streamed(server, "subscription { forever }") as chunks:
        await anext(chunks)
        await probe.opened.wait()

    await probe.source_closed()


async def test_a_stream_that_never_suspends_ends_with_its_client(
    server: Server, probe: Probe
) -> None:
    async with streamed(server, "subscription { flood(size: 10000) }") as chunks:
        await anext(chunks)

    await probe.source_closed()


async def test_a_stream_ends_with_its_token(server: Server, probe: Probe) -> None:
    soon = {"x-lifetime-ms": "50"}
    async with streamed(server, "subscription { forever }", **soon) as chunks:
        text = "".join([chunk.decode() async for chunk in chunks])

    last, end = events(text)[-2:]
    assert last[1]["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    assert end == ("complete", None)
    assert probe.closed.is_set()


async def test_a_caller_has_so_many_streams_and_no_more(probe: Probe) -> None:
    async with (
        serving(Front(probe, Limits(max_caller_streams=1))) as server,
        streamed(server, "subscription { forever }") as chunks,
    ):
        await anext(chunks)
        async with streamed(server, "subscription { count(to: 1) }") as refused:
            body = json.loads(b"".join([chunk async for chunk in refused]))

    assert body["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def one_and_no_more() -> Bodies:
    """Yield once, then wait as a live feed does."""
    yield {"data": {"count": 1}}
    await asyncio.Event().wait()


async def silent() -> MutableMapping[str, Any]:
    """Stay, and say nothing."""
    await asyncio.Event().wait()
    return {}


@pytest.mark.parametrize("media_type", FRAMINGS)
async def test_a_server_that_stops_does_not_say_that_the_stream_is_complete(
    media_type: str,
) -> None:
    framing, stops = FRAMINGS[media_type], asyncio.Event()
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)
        if b"count" in message.get("body", b""):
            stops.set()

    stream = AnswerStream(one_and_no_more(), StreamTerms(framing, 60, SystemClock()), ExitStack())
    await stream({"state": {SERVER_STOPS: stops}}, silent, send)

    assert framing.end not in [each.get("body") for each in sent]
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
