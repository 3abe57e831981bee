"""Who watches all executions misses none and sees none twice, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.story.triage import Triage
from tests.support.caller import Caller
from tests.support.installation import Installation
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

_FEED = """
subscription ($after: String) { executionFeed(after: $after) {
  cursor sequence toStatus execution { id }
} }"""
_MAKE = """
mutation { createAccessToken(input: {label: "feed"}) { token accessToken { id } } }"""
_REVOKE = """
mutation ($id: ID!) { revokeAccessToken(input: {id: $id}) { errors { code } } }"""

Told = list[tuple[str, int, str]]


class Watcher:
    """Watches the feed; comes back with its last cursor whenever it is cut off."""

    def __init__(self, triage: Triage) -> None:
        self._triage = triage
        self._after: str | None = None
        self.changes: list[dict[str, Any]] = []
        self.losses = 0

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._follow()
            except (OSError, WebSocketException):
                self.losses += 1
            await self._triage.caller.until_served()

    async def _follow(self) -> None:
        async with aclosing(self._triage.caller.subscribe(_FEED, after=self._after)) as feed:
            async for data in feed:
                self._take(data["executionFeed"])

    def _take(self, change: dict[str, Any]) -> None:
        self._after = change["cursor"]
        self.changes.append(change)

    @property
    def told(self) -> Told:
        """Return what was told."""
        return [
            (each["execution"]["id"], each["sequence"], each["toStatus"]) for each in self.changes
        ]

    def told_of(self, ids: Collection[str]) -> Told:
        """Return what was told of some executions, one after the other."""
        return [each for id_ in ids for each in self.told if each[0] == id_]

    async def until_told(self, execution_id: str, status: str) -> None:
        """Wait until this change was told."""

        async def is_told() -> bool:
            return any((each[0], each[2]) == (execution_id, status) for each in self.told)

        await wait_until(is_told, 30)


@asynccontextmanager
async def watching(triage: Triage) -> AsyncIterator[Watcher]:
    """Give a watcher who watches already."""
    watcher = Watcher(triage)
    task = asyncio.create_task(watcher.watch())
    first = 0
    while not watcher.told:  # nobody is told when a feed has begun: the first to be told says so
        await triage.start(f"first-{(first := first + 1)}")
        await asyncio.wait([task], timeout=0.5)
    yield watcher
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _stored(triage: Triage, ids: list[str]) -> Told:
    """Return the changes of status that are stored of executions."""
    return [
        (each, event["sequence"], event["toStatus"])
        for each in ids
        for event in await triage.events(each)
        if event["__typename"] == "ExecutionStatusChanged"
    ]


async def test_a_feed_outlives_its_server_its_worker_and_redis_without_gap_or_repetition(
    triage: Triage, installation: Installation, redis_server: RedisServer
) -> None:
    async with watching(triage) as watcher:
        ids = [await triage.start("a")]
        await watcher.until_told(ids[0], "RUNNING")
        await _restart_worker_and_server(triage, installation)
        ids.append(await triage.start("b"))
        await watcher.until_told(ids[1], "RUNNING")
        _forget_and_die(redis_server)
        ids.append(await triage.start("c"))
        for each in ids:
            await watcher.until_told(each, "COMPLETED")

    assert watcher.told_of(ids) == await _stored(triage, ids)
    assert watcher.losses >= 1


async def _restart_worker_and_server(triage: Triage, installation: Installation) -> None:
    installation.kill_all()
    installation.start("worker")
    installation.start("serve", PROMPTPILOT_PORT=str(triage.caller.port))
    await triage.caller.until_served()


def _forget_and_die(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    redis_server.kill()
    redis_server.start()


async def test_a_feed_resumed_after_any_change_sends_exactly_the_rest(triage: Triage) -> None:
    async with watching(triage) as watcher:
        execution_id = await triage.start()
        await watcher.until_told(execution_id, "COMPLETED")
    whole = watcher.changes

    for number, change in enumerate(whole[:-1], start=1):
        rest = await _first_of_feed(triage, change["cursor"], len(whole) - number)
        assert rest == whole[number:]


async def _first_of_feed(triage: Triage, after: str, count: int) -> list[dict[str, Any]]:
    async with aclosing(triage.caller.subscribe(_FEED, after=after)) as feed:
        return [(await anext(feed))["executionFeed"] for _ in range(count)]


async def test_a_socket_is_closed_within_seconds_after_its_token_was_revoked(
    triage: Triage,
) -> None:
    made = (await triage.caller.ask(_MAKE))["createAccessToken"]
    guest = replace(triage.caller, token=made["token"])
    reading = asyncio.create_task(_read_one(guest))
    await asyncio.wait([reading], timeout=1)

    await triage.caller.ask(_REVOKE, id=made["accessToken"]["id"])

    async with asyncio.timeout(8):
        await asyncio.wait([reading])
    assert isinstance(reading.exception(), ConnectionClosed)


async def _read_one(guest: Caller) -> None:
    async with aclosing(guest.subscribe(_FEED)) as feed:
        await anext(feed)
