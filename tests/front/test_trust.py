"""Proves that sockets and streams stay open only as long as those who opened them may read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from promptpilot.front.limits import Limits
from tests.front.endpoint import Front, Wire, serving
from tests.front.sample import Probe

REFUSAL = {"message": "The token is revoked.", "extensions": {"code": "UNAUTHENTICATED"}}


@pytest.mark.parametrize(
    "query", ["{ hello }", 'mutation { rename(name: "x") }', "subscription { count(to: 2) }"]
)
async def test_who_may_speak_no_more_starts_nothing(wire: Wire, query: str) -> None:
    await wire.introduce(checks=0)

    await wire.subscribe(query)

    assert await wire.receive() == {"type": "error", "id": "1", "payload": [REFUSAL]}


async def test_a_socket_is_closed_when_its_speaker_may_speak_no_more(probe: Probe) -> None:
    limits = Limits(trust=timedelta(milliseconds=20))
    async with serving(Front(probe, limits)) as server, server.open() as wire:
        await wire.introduce(checks=2)
        await wire.subscribe("subscription { forever }")

        assert await wire.close_code() == 4403

        assert wire.connection.close_reason == "Forbidden: The token is revoked."
        await probe.closed.wait()


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"])
async def test_a_stream_ends_when_its_reader_may_read_no_more(probe: Probe, accept: str) -> None:
    front = Front(probe, Limits(trust=timedelta(milliseconds=20)))
    headers = {"authorization": "Bearer short", "accept": accept}

    answer = await front.send(
        "POST", None, json={"query": "subscription { forever }"}, headers=headers
    )

    assert "The token is revoked." in answer.text
    assert "UNAUTHENTICATED" in answer.text
    assert probe.closed.is_set()


async def test_a_stream_is_not_checked_at_every_event(wire: Wire) -> None:
    await wire.introduce(checks=1)

    await wire.subscribe("subscription { count(to: 2) }")

    assert [(await wire.receive())["type"] for _ in range(3)] == ["next", "next", "complete"]
