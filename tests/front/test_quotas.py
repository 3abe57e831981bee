"""Proves that what one caller may do is counted by caller, and that places are given back."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from websockets.exceptions import InvalidStatus

from promptpilot.errors import LimitExceeded, RateLimited
from promptpilot.front.limits import Limits
from promptpilot.front.quotas import Places
from tests.front.endpoint import Front, serving
from tests.front.sample import Probe


class Strict:
    """Lets every caller ask once."""

    def __init__(self) -> None:
        self._spent: Counter[str] = Counter()

    async def spend(self, key: str) -> None:
        self._spent[key] += 1
        if self._spent[key] > 1:
            later = datetime.now(UTC) + timedelta(seconds=30)
            raise RateLimited("Too many operations.", later)


def test_a_place_is_free_again_when_it_is_left() -> None:
    places = Places("sockets", 1)

    with places.taken("a"), places.taken("b"), pytest.raises(LimitExceeded, match="At most 1"):
        places.taken("a").__enter__()
    with places.taken("a"):
        assert len(places) == 1
    assert len(places) == 0


def test_no_limit_is_no_limit() -> None:
    places = Places("sockets", 0)

    with places.taken("a"), places.taken("a"):
        assert len(places) == 2


async def test_a_caller_who_asks_too_often_learns_when_to_come_back(probe: Probe) -> None:
    front = Front(probe, rates=Strict())
    await front.ask("{ hello }")

    response = await front.ask("{ hello }")
    other = await front.send(
        "POST", json={"query": "{ hello }"}, headers={"authorization": "Bearer other"}
    )

    assert (response.status_code, other.status_code) == (429, 200)
    assert response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert 25 <= int(response.headers["retry-after"]) <= 30


async def test_operations_on_a_socket_are_counted_too(probe: Probe) -> None:
    async with serving(Front(probe, rates=Strict())) as server, server.open() as wire:
        await wire.introduce()
        await wire.subscribe("{ hello }", id="1")
        await wire.receive()
        await wire.receive()

        await wire.subscribe("{ hello }", id="2")

        assert (await wire.receive())["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_caller_has_so_many_sockets_and_no_more(probe: Probe) -> None:
    front = Front(probe, Limits(max_caller_sockets=1))
    async with serving(front) as server:
        async with server.open() as first, server.open() as second:
            await first.introduce()
            await second.send({"type": "connection_init"})
            assert await second.close_code() == 4429
        async with server.open() as third:
            await third.introduce()


async def test_a_caller_has_so_many_subscriptions_on_all_sockets(probe: Probe) -> None:
    front = Front(probe, Limits(max_caller_streams=1))
    async with serving(front) as server, server.open() as first, server.open() as second:
        await first.introduce()
        await first.subscribe("subscription { forever }")
        await first.receive()
        await second.introduce()

        await second.subscribe("subscription { forever }")

        assert (await second.receive())["payload"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_an_address_opens_only_so_many_sockets_that_do_not_say_who_they_are(
    probe: Probe,
) -> None:
    front = Front(probe, Limits(max_strangers=1))

    async with serving(front) as server, server.open() as wire:
        with pytest.raises(InvalidStatus) as refusal:
            async with server.open():
                pass
        await wire.introduce()
        async with server.open() as other:
            await other.introduce()

    answer = refusal.value.response
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert b"LIMIT_EXCEEDED" in answer.body


async def test_a_stranger_who_leaves_gives_the_place_back(probe: Probe) -> None:
    front = Front(probe, Limits(max_strangers=1))

    async with serving(front) as server:
        async with server.open():
            pass
        async with server.open() as wire:
            await wire.introduce()
