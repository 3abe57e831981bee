"""Proves that a socket speaks graphql-transport-ws to the letter, on a real server."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from structlog.typing import EventDict
from websockets.exceptions import InvalidStatus

from promptpilot.front.limits import Limits
from tests.front.endpoint import Front, Server, Wire, serving
from tests.front.sample import SECRET, Probe

FREE = {"extensions": {"cost": {"requested": 0, "maximum": 5000}}}


async def test_a_subscription_streams_and_completes(wire: Wire) -> None:
    await wire.introduce()

    await wire.subscribe("subscription { count(to: 2) }", id="a")

    assert [await wire.receive() for _ in range(3)] == [
        {"type": "next", "id": "a", "payload": {"data": {"count": 0}, **FREE}},
        {"type": "next", "id": "a", "payload": {"data": {"count": 1}, **FREE}},
        {"type": "complete", "id": "a"},
    ]


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ hello }", {"hello": "Hello, world!"}),
        ('mutation { rename(name: "x") }', {"rename": "x"}),
    ],
)
async def test_queries_and_mutations_are_answered_once(
    wire: Wire, query: str, data: object
) -> None:
    await wire.introduce()

    await wire.subscribe(query)

    assert await wire.receive() == {"type": "next", "id": "1", "payload": {"data": data, **FREE}}
    assert await wire.receive() == {"type": "complete", "id": "1"}


async def test_variables_and_operation_name_are_heeded(wire: Wire) -> None:
    await wire.introduce()
    query = "query A { hello } query B($n: String!) { hello(name: $n) }"

    await wire.subscribe(query, operationName="B", variables={"n": "B"}, extensions=None)

    assert (await wire.receive())["payload"]["data"] == {"hello": "Hello, B!"}


@pytest.mark.parametrize(
    "init", [{"type": "connection_init"}, {"type": "connection_init", "payload": None}]
)
async def test_an_introduction_needs_no_payload(wire: Wire, init: object) -> None:
    await wire.send(init)

    assert await wire.receive() == {"type": "connection_ack"}


@pytest.mark.parametrize("is_introduced", [True, False])
@pytest.mark.parametrize("payload", [{}, {"payload": {"n": 1}}])
async def test_a_ping_is_echoed(
    wire: Wire,
    payload: dict[str, object],
    is_introduced: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    if is_introduced:
        await wire.introduce()

    await wire.send({"type": "ping", "payload": None})
    await wire.send({"type": "pong", "payload": None})
    await wire.send({"type": "ping", **payload})

    assert await wire.receive() == {"type": "pong"}
    assert await wire.receive() == {"type": "pong", **payload}


BREACHES = [
    "",
    "no json",
    "[]",
    "null",
    "1",
    '"connection_init"',
    "[" * 50_000,
    b"\x00",
    {},
    {"type": 1},
    {"type": "start"},
    {"type": "connection_ack"},
    {"type": "connection_init", "payload": []},
    {"type": "ping", "payload": 1},
    {"type": "subscribe"},
    {"type": "subscribe", "id": 1, "payload": {"query": "{ hello }"}},
    {"type": "subscribe", "id": "", "payload": {"query": "{ hello }"}},
    {"type": "subscribe", "id": "1", "payload": None},
    {"type": "subscribe", "id": "1", "payload": {"query": None}},
    {"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "variables": []}},
    {"type": "complete"},
    {"type": "complete", "id": ["1"]},
]


@pytest.mark.parametrize("message", BREACHES)
async def test_an_invalid_message_closes_the_socket(wire: Wire, message: object) -> None:
    await wire.introduce()

    await wire.send(message)

    assert await wire.close_code() == 4400


async def test_a_message_over_the_limit_closes_the_socket(wire: Wire) -> None:
    await wire.introduce()

    await wire.send({"type": "ping", "payload": {"x": "x" * 256 * 1024}})

    assert await wire.close_code() == 1009


async def test_a_second_introduction_closes_the_socket(wire: Wire) -> None:
    await wire.introduce()

    await wire.send({"type": "connection_init"})

    assert await wire.close_code() == 4429


async def test_an_operation_before_the_introduction_closes_the_socket(wire: Wire) -> None:
    await wire.subscribe("{ hello }")

    assert await wire.close_code() == 4401


@pytest.mark.parametrize("init", [None, {"type": "connection_init", "payload": {"token": "slow"}}])
async def test_a_socket_that_is_not_introduced_in_time_is_closed(
    probe: Probe, init: object
) -> None:
    front = Front(probe, Limits(init_timeout=timedelta(milliseconds=30)))

    async with serving(front) as server, server.open() as wire:
        if init:
            await wire.send(init)

        assert await wire.close_code() == 4408


@pytest.mark.parametrize(("token", "code"), [("wrong", 4403), ("bug", 4500), ("away", 1013)])
async def test_a_refused_introduction_closes_the_socket(wire: Wire, token: str, code: int) -> None:
    await wire.send({"type": "connection_init", "payload": {"token": token}})

    assert await wire.close_code() == code
    assert SECRET not in (wire.connection.close_reason or "")


async def test_an_id_in_use_closes_the_socket(wire: Wire, probe: Probe) -> None:
    await wire.introduce()
    await wire.subscribe("subscription { forever }", id="a")
    await wire.receive()

    await wire.subscribe("{ hello }", id="a")

    assert await wire.close_code() == 4409
    await probe.source_closed()


async def test_an_id_may_be_used_again_after_its_operation_has_ended(wire: Wire) -> None:
    await wire.introduce()

    for query in ("{ hello }", "{ nothing }", "{ hello"):
        await wire.subscribe(query, id="a")
        while (await wire.receive())["type"] == "next":
            pass
    await wire.subscribe("{ hello }", id="a")

    assert (await wire.receive())["type"] == "next"


async def test_completing_closes_the_source_and_frees_the_id(wire: Wire, probe: Probe) -> None:
    await wire.introduce()
    await wire.subscribe("subscription { forever }", id="a")
    await wire.receive()

    await wire.send({"type": "complete", "id": "a"})
    await wire.subscribe("{ hello }", id="a")

    await probe.source_closed()
    assert (await wire.receive())["payload"]["data"] == {"hello": "Hello, world!"}


async def test_completing_an_unknown_operation_is_no_breach(wire: Wire) -> None:
    await wire.introduce()

    await wire.send({"type": "complete", "id": "nothing"})
    await wire.send({"type": "ping"})

    assert await wire.receive() == {"type": "pong"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ hello", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($x: Int!) { number(value: $x) }", "BAD_USER_INPUT"),
        ("query A { hello } query B { hello }", "OPERATION_RESOLUTION_FAILURE"),
        ("subscription { forbidden }", "NOT_FOUND"),
        ("subscription { guarded }", "FORBIDDEN"),
        ("{ unwritable }", "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_an_operation_that_cannot_start_ends_alone(wire: Wire, query: str, code: str) -> None:
    await wire.introduce()

    await wire.subscribe(query, id="a")
    error = await wire.receive()
    await wire.subscribe("{ hello }", id="b")

    assert (error["type"], error["id"]) == ("error", "a")
    assert error["payload"][0]["extensions"]["code"] == code
    assert (await wire.receive())["id"] == "b"


async def test_a_source_that_fails_ends_its_operation_behind_a_mask(
    wire: Wire, logs: list[EventDict]
) -> None:
    await wire.introduce()

    await wire.subscribe("subscription { failing(after: 1) }")
    messages = [await wire.receive() for _ in range(2)]

    assert [message["type"] for message in messages] == ["next", "error"]
    assert messages[1]["payload"][0]["message"] == "Internal server error"
    assert SECRET not in str(messages)
    assert logs[-1]["reference"] == messages[1]["payload"][0]["extensions"]["reference"]


async def test_an_event_that_takes_too_long_ends_its_operation(probe: Probe) -> None:
    limits = Limits(timeout=timedelta(milliseconds=30))

    async with serving(Front(probe, limits)) as server, server.open() as wire:
        await wire.introduce()
        await wire.subscribe("subscription { nodes { stuck } }")
        error = await wire.receive()

    assert (error["type"], error["payload"][0]["extensions"]) == ("error", {"code": "TIMEOUT"})


async def test_a_resolver_that_fails_is_masked(wire: Wire) -> None:
    await wire.introduce()

    await wire.subscribe("{ broken }")
    answer = (await wire.receive())["payload"]

    assert answer["data"] == {"broken": None}
    assert answer["errors"][0]["message"] == "Internal server error"
    assert SECRET not in str(answer)


async def test_every_event_has_a_context_of_its_own(wire: Wire) -> None:
    await wire.introduce()

    await wire.subscribe("subscription { nodes { contextNumber } }", id="a")
    first = [(await wire.receive()).get("payload") for _ in range(3)]
    await wire.subscribe("subscription { nodes { contextNumber } }", id="b")
    second = [(await wire.receive()).get("payload") for _ in range(3)]

    numbers = [m["data"]["nodes"]["contextNumber"] for m in (*first, *second) if m]
    assert numbers == [1, 2, 4, 5]


async def test_one_operation_too_many_is_refused_alone(probe: Probe) -> None:
    async with serving(Front(probe, Limits(max_subscriptions=2))) as server, server.open() as wire:
        await wire.introduce()
        for operation_id in ("a", "b"):
            await wire.subscribe("subscription { forever }", id=operation_id)
            await wire.receive()

        await wire.subscribe("{ hello }", id="c")
        error = await wire.receive()

    assert (error["id"], error["payload"][0]["extensions"]["code"]) == ("c", "LIMIT_EXCEEDED")


async def test_a_source_that_never_suspends_lets_others_speak(wire: Wire) -> None:
    await wire.introduce()

    await wire.subscribe("subscription { count(to: 100000) }", id="long")
    await wire.receive()
    await wire.send({"type": "ping"})
    count = 0
    while (await wire.receive())["type"] != "pong":
        count += 1

    assert count < 50_000


async def test_a_disconnect_closes_the_source(server: Server, probe: Probe) -> None:
    async with server.open() as wire:
        await wire.introduce()
        await wire.subscribe("subscription { forever }")
        await wire.receive()

    await probe.source_closed()


async def test_a_vanished_client_closes_the_source(server: Server, probe: Probe) -> None:
    async with server.open() as wire:
        await wire.introduce()
        await wire.subscribe("subscription { forever }")
        await wire.receive()

        wire.connection.transport.abort()

        await probe.source_closed()


async def test_a_disconnect_stops_a_query(server: Server, probe: Probe) -> None:
    async with server.open() as wire:
        await wire.introduce()
        await wire.subscribe("{ stuck }")
        await probe.opened.wait()

    await probe.source_closed()


async def test_a_client_that_does_not_read_stops_the_source(wire: Wire, probe: Probe) -> None:
    await wire.introduce()
    wire.connection.transport.pause_reading()

    await wire.subscribe("subscription { flood(size: 100000) }")
    seen = -1
    while seen != probe.events:
        seen = probe.events
        for _ in range(2000):
            await asyncio.sleep(0)

    assert 0 < seen < 1000
    assert not probe.closed.is_set()


async def test_the_end_of_the_token_closes_the_socket_and_its_sources(
    wire: Wire, probe: Probe
) -> None:
    await wire.introduce(lifetime_ms=100)
    await wire.subscribe("subscription { forever }")
    await wire.receive()

    assert await wire.close_code() == 4403
    await probe.source_closed()


async def test_another_protocol_is_refused(server: Server) -> None:
    async with server.open(protocol="graphql-ws") as wire:
        assert await wire.close_code() == 4406


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_foreign_origin_is_refused(server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with server.open(origin=origin):
            pass

    assert refusal.value.response.status_code == 403


async def test_the_own_origin_is_allowed(server: Server) -> None:
    async with server.open(origin=f"http://127.0.0.1:{server.port}") as wire:
        await wire.introduce()


@pytest.mark.parametrize("allowed", ["https://app.example", "*"])
async def test_an_allowed_origin_is_allowed(probe: Probe, allowed: str) -> None:
    front = Front(probe, allowed_origins=[allowed])

    async with serving(front) as server, server.open(origin="https://APP.example") as wire:
        await wire.introduce()
