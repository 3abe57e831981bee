"""Who watches an execution misses nothing and sees nothing twice, whatever happens meanwhile."""

from __future__ import annotations

import pytest
import redis
from websockets.exceptions import ConnectionClosed

from tests.story.owner import Event, told
from tests.story.triage import WHOLE, Triage
from tests.support.installation import Installation
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]


async def test_a_subscription_resumed_after_any_event_sends_exactly_the_rest(
    triage: Triage,
) -> None:
    execution_id = await triage.start()
    whole = [event async for event in triage.watch(execution_id)]

    tails = [
        [each async for each in triage.watch(execution_id, after=event["cursor"])]
        for event in whole
    ]

    assert tails == [whole[number:] for number in range(1, len(whole) + 1)]
    assert await triage.events(execution_id) == whole


async def test_a_subscription_goes_on_when_the_worker_is_killed_and_another_takes_over(
    triage: Triage, installation: Installation
) -> None:
    execution_id = await triage.start()
    events: list[Event] = []
    async for event in triage.watch(execution_id):
        events.append(event)
        if told([event]) == [("summarise_bug", "RUNNING")]:
            installation.kill("worker")
            installation.start("worker")

    retries = [event for event in events if event["__typename"] == "StepRetryScheduled"]
    assert told(events) == WHOLE
    assert [event["sequence"] for event in events] == list(range(1, len(WHOLE) + 2))
    assert [event["attempt"]["error"]["code"] for event in retries] == ["WORKER_LOST"]


async def test_a_subscription_goes_on_while_redis_forgets_and_dies(
    triage: Triage, redis_server: RedisServer
) -> None:
    execution_id = await triage.start()
    events: list[Event] = []
    async for event in triage.watch(execution_id):
        events.append(event)
        if told([event]) == [("extract", "RUNNING")]:
            with redis.Redis.from_url(redis_server.url) as client:
                client.flushall()
        if told([event]) == [("looks_like_a_bug", "RUNNING")]:
            redis_server.kill()
    redis_server.start()

    assert told(events) == WHOLE
    assert [event["sequence"] for event in events] == list(range(1, len(WHOLE) + 1))


async def test_a_subscription_goes_on_after_a_restart_of_the_server_without_gap_or_repetition(
    triage: Triage, installation: Installation
) -> None:
    execution_id = await triage.start()
    events = await _watch_until_the_server_is_killed(triage, execution_id, installation)
    installation.start("serve", PROMPTPILOT_PORT=str(triage.caller.port))
    await triage.caller.until_served()

    rest = triage.watch(execution_id, after=events[-1]["cursor"])
    events += [event async for event in rest]
    assert told(events) == WHOLE
    assert events == await triage.events(execution_id)


async def _watch_until_the_server_is_killed(
    triage: Triage, execution_id: str, installation: Installation
) -> list[Event]:
    """Kill the server in the middle of the last step and return what was seen until then."""
    events: list[Event] = []
    try:
        async for event in triage.watch(execution_id):
            events.append(event)
            if told([event]) == [("summarise_bug", "RUNNING")]:
                installation.kill("serve")
    except ConnectionClosed:
        return events
    raise AssertionError("The subscription ended, though its server was killed.")
