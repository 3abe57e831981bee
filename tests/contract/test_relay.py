"""A relay keeps its promises, within one process and over Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from promptpilot.bells import FEED_CHANNEL, open_bells
from promptpilot.engine.ports import OutputRelay, OutputView
from promptpilot.local_relay import LocalRelay
from promptpilot.relay import open_relay
from tests.support.redis import RedisServer
from tests.support.watching import PLACE, Secrets

Relays = tuple[OutputRelay, OutputRelay]


@asynccontextmanager
async def _over_redis(url: str) -> AsyncIterator[Relays]:
    """Give the relays of two processes, both connected."""
    async with open_bells(url) as here, open_bells(url, [FEED_CHANNEL]) as there:
        async with there.listen("") as ear:
            await ear.wait(20)  # everybody is rung when the subscription stands
        async with open_relay(here) as writing, open_relay(there) as watching:
            yield writing, watching


@pytest.fixture(params=["local", "redis, same process", "redis, two processes"])
async def relays(
    request: pytest.FixtureRequest, redis_server: RedisServer
) -> AsyncIterator[Relays]:
    """Give the relay that an attempt shows its output to, and the one where it is watched."""
    if request.param == "local":
        relay = LocalRelay()
        yield relay, relay
        return
    async with _over_redis(redis_server.url) as (here, there):
        yield (here if request.param.endswith("two processes") else there), there


class Watcher:
    """Somebody who is nudged."""

    def __init__(self) -> None:
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Take a nudge."""
        self._nudged.set()

    async def until(
        self, view: OutputView, is_enough: Callable[[Mapping[int, str]], bool]
    ) -> Mapping[int, str]:
        """Return the texts when they are enough; look at them only when nudged."""
        async with asyncio.timeout(10):
            while not is_enough(view.texts):
                await self._nudged.wait()
                self._nudged.clear()
        return dict(view.texts)


async def test_what_is_shown_is_seen(relays: Relays) -> None:
    (here, there), watcher = relays, Watcher()

    with there.watch(PLACE, watcher.nudge) as view:
        output = here.open(PLACE, Secrets())
        output.append(0, "Hel")
        output.append(1, "Bon")
        output.append(0, "lo")
        seen = await watcher.until(view, lambda texts: len(texts) == 2)

    assert seen == {0: "Hello", 1: "Bon"}


async def test_who_comes_late_sees_everything_so_far(relays: Relays) -> None:
    (here, there), first, late = relays, Watcher(), Watcher()
    output = here.open(PLACE, Secrets())

    with there.watch(PLACE, first.nudge) as view:
        output.append(0, "Once upon ")
        await first.until(view, bool)
        with there.watch(PLACE, late.nudge) as other:
            output.append(0, "a time")
            seen = await late.until(other, lambda texts: texts.get(0) == "Once upon a time")

    assert seen == {0: "Once upon a time"}


async def test_who_catches_up_at_the_end_has_seen_everything(relays: Relays) -> None:
    (here, there), watcher = relays, Watcher()
    output = here.open(PLACE, Secrets())

    with there.watch(PLACE, watcher.nudge) as view:
        output.append(0, "begin")
        await watcher.until(view, bool)
        output.append(0, ", end")
        output.close()
        seen = await watcher.until(view, lambda texts: texts[0] == "begin, end")
        await view.catch_up()

    assert seen == view.texts or not view.texts


async def test_a_second_attempt_begins_empty_and_knows_nothing_of_the_first(
    relays: Relays,
) -> None:
    (here, there), watcher = relays, Watcher()
    here.open(PLACE, Secrets()).append(0, "wrong")
    again = replace(PLACE, attempt=2)

    with there.watch(again, watcher.nudge) as view:
        here.open(again, Secrets())
        seen = await watcher.until(view, bool)

    assert seen == {0: ""}


async def test_no_secret_is_seen_although_it_comes_in_two_chunks(relays: Relays) -> None:
    (here, there), watcher = relays, Watcher()
    output = here.open(PLACE, Secrets(["sk-proj-secret"]))

    with there.watch(PLACE, watcher.nudge) as view:
        output.append(0, "My key is sk-proj-")
        await watcher.until(view, bool)
        output.append(0, "secret.")
        output.close()
        seen = await watcher.until(view, lambda texts: texts[0].endswith("."))

    assert seen == {0: "My key is ***."}


async def test_what_is_appended_after_the_end_is_dropped(relays: Relays) -> None:
    (here, there), watcher = relays, Watcher()

    with there.watch(PLACE, watcher.nudge) as view:
        output = here.open(PLACE, Secrets())
        output.append(0, "all")
        output.close()
        output.append(0, " and more")
        seen = await watcher.until(view, bool)

    assert seen == {0: "all"}
