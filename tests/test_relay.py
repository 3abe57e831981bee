"""Relaying over Redis never waits, is bounded, serves many watchers at once, outlives losses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from promptpilot.bells import FEED_CHANNEL, RedisBells, connect, open_bells
from promptpilot.engine.ports import OutputView
from promptpilot.relay import RedisRelay, open_relay
from promptpilot.relay_stream import MAX_ENTRIES, StreamReader, StreamWriter, stream_key
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until
from tests.support.watching import PLACE, ManualTimers, Secrets


@pytest.fixture
async def here(redis_server: RedisServer) -> AsyncIterator[RedisRelay]:
    """Give the relay of a worker."""
    async with open_bells(redis_server.url) as bells, open_relay(bells) as relay:
        yield relay


@pytest.fixture
async def there_bells(redis_server: RedisServer) -> AsyncIterator[RedisBells]:
    """Give the bells of a server of subscriptions, once they hear."""
    async with open_bells(redis_server.url, [FEED_CHANNEL]) as bells:
        async with bells.listen("") as ear:
            await ear.wait(20)
        yield bells


@pytest.fixture
async def there(there_bells: RedisBells) -> AsyncIterator[RedisRelay]:
    """Give the relay of a server of subscriptions."""
    async with open_relay(there_bells) as relay:
        yield relay


async def _until_seen(view: OutputView, text: str, within: float = 10) -> None:
    async def is_seen() -> bool:
        return view.texts.get(0) == text

    await wait_until(is_seen, within, lambda: repr(view.texts))


async def _calls(url: str, command: str) -> int:
    """Return how often Redis was given this command."""
    client = connect(url)
    stats = await client.info("commandstats")
    await client.aclose()
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_a_thousand_watchers_cost_redis_what_one_does(
    redis_server: RedisServer, here: RedisRelay, there: RedisRelay
) -> None:
    output, client = here.open(PLACE, Secrets()), connect(redis_server.url)
    with ExitStack() as stack:
        nudges = [asyncio.Event() for _ in range(1000)]
        views = [stack.enter_context(there.watch(PLACE, each.set)) for each in nudges]
        output.append(0, "Hello")
        await asyncio.gather(*[each.wait() for each in nudges])
        await asyncio.gather(*[view.catch_up() for view in views])

    assert {view.texts.get(0) for view in views} <= {"Hello", None}
    assert dict(await client.pubsub_numsub(FEED_CHANNEL)) == {FEED_CHANNEL.encode(): 1}
    assert await _calls(redis_server.url, "xrange") <= 5
    await client.aclose()


async def test_a_fast_model_is_published_twenty_times_a_second_at_most(
    redis_server: RedisServer, there_bells: RedisBells
) -> None:
    timers, client = ManualTimers(), connect(redis_server.url)
    relay = RedisRelay(there_bells, lambda: timers)
    work = asyncio.create_task(relay.run())
    output = relay.open(PLACE, Secrets())
    for _ in range(1000):
        output.append(0, "word ")
        timers.move(0.001)
        await client.ping()  # what is due is sent meanwhile

    assert 2 <= await _calls(redis_server.url, "xadd") <= 21
    assert await _calls(redis_server.url, "publish") <= 21
    work.cancel()
    await asyncio.gather(work, relay.close(), client.aclose(), return_exceptions=True)


@pytest.mark.parametrize("loss", ["kill", "pause"])
async def test_showing_output_takes_no_time_when_redis_is_lost(
    loss: str, redis_server: RedisServer, here: RedisRelay
) -> None:
    getattr(redis_server, loss)()

    started_at = time.perf_counter()
    for attempt in range(1, 101):
        output = here.open(replace(PLACE, attempt=attempt), Secrets())
        output.append(0, "word ")
        await asyncio.sleep(0)
        output.close()

    assert time.perf_counter() - started_at < 0.3


async def test_a_text_is_whole_again_after_redis_was_restarted(
    redis_server: RedisServer, here: RedisRelay, there: RedisRelay
) -> None:
    output = here.open(PLACE, Secrets())
    with there.watch(PLACE, lambda: None) as view:
        output.append(0, "before, ")
        await _until_seen(view, "before, ")
        redis_server.kill()
        output.append(0, "meanwhile, ")
        redis_server.start()
        output.append(0, "after")

        await _until_seen(view, "before, meanwhile, after")


async def test_who_comes_after_a_restart_is_shown_the_whole_text(
    redis_server: RedisServer, here: RedisRelay, there: RedisRelay
) -> None:
    output, client = here.open(PLACE, Secrets()), connect(redis_server.url)
    output.append(0, "before")
    with there.watch(PLACE, lambda: None) as view:
        await _until_seen(view, "before")
    await client.flushall()
    output.append(0, ", after")

    with there.watch(PLACE, lambda: None) as view:
        await _until_seen(view, "before, after")
    await client.aclose()


async def test_what_is_relayed_is_forgotten_in_minutes(
    redis_server: RedisServer, here: RedisRelay
) -> None:
    client, output = connect(redis_server.url), here.open(PLACE, Secrets())
    output.append(0, "text")

    async def seconds_left() -> int:
        return max(0, int(await client.ttl(stream_key(PLACE))))

    assert 30 < await wait_until(seconds_left, 5) <= 300
    output.close()

    async def is_short() -> bool:
        return await seconds_left() <= 30

    await wait_until(is_short, 5)
    await client.aclose()


async def test_a_long_stream_is_written_anew_as_one_entry(redis_server: RedisServer) -> None:
    client, writer, reader = connect(redis_server.url), StreamWriter(PLACE), StreamReader(PLACE)
    text = ""
    for number in range(MAX_ENTRIES + 10):
        text += f"{number} "
        async with client.pipeline(transaction=False) as pipe:
            writer.write(pipe, {0: text}, 60)
            assert writer.check((await pipe.execute())[-1])

    reader.read(await client.xrange(reader.key, reader.begin))

    assert (reader.texts, await client.xlen(reader.key)) == ({0: text}, 10)
    await client.aclose()


def test_a_piece_without_what_comes_before_it_and_garbage_are_passed_over() -> None:
    reader = StreamReader(PLACE)

    reader.read([(b"1-0", {b"m": b"0", b"o": b"5", b"t": b"late"}), (b"2-0", {b"x": b"y"})])
    reader.read([(b"3-0", {b"m": b"0", b"o": b"0", b"t": b"all"})])

    assert (reader.texts, reader.begin) == ({0: "all"}, b"(3-0")
