"""Proves that a socket stays open to its speaker only as long as the speaker may speak."""

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


async def test_a_stream_ends_when_its_speaker_may_speak_no_more(probe: Probe) -> None:
    limits = Limits(trust=timedelta(0))
    async with serving(Front(probe, limits)) as server, server.open() as wire:
        await wire.introduce(checks=2)

        await wire.subscribe("subscription { count(to: 3) }")

        assert (await wire.receive())["type"] == "next"
        assert await wire.receive() == {"type": "error", "id": "1", "payload": [REFUSAL]}


async def test_a_stream_is_not_checked_at_every_event(wire: Wire) -> None:
    await wire.introduce(checks=1)

    await wire.subscribe("subscription { count(to: 2) }")

    assert [(await wire.receive())["type"] for _ in range(3)] == ["next", "next", "complete"]
