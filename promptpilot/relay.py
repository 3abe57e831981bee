"""Relays the output of running steps over Redis, from the worker to the servers of subscriptions.

Rules: showing output never waits, blocks or raises. All that grew within a twentieth of a second
goes out in one flush, and the feed's channel rings for it; a process reads what is watched there
once for all its watchers. While Redis is away or slow nothing queues up: the text so far is what
waits to be sent, and it is bounded.
After a crash: what was relayed is forgotten in minutes; what was stored is the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import structlog

from promptpilot.bells import FEED_CHANNEL, OUTPUT_MARK, REDIS_ERRORS, RedisBells, connect
from promptpilot.cancelling import raise_if_cancelled
from promptpilot.engine.ports import AttemptOutput, OpenedSecrets, OutputPlace, OutputView
from promptpilot.local_relay import TICK_SECONDS, LocalRelay, Writer
from promptpilot.pulse import Pulse, Timers
from promptpilot.relay_stream import (
    KEPT_AFTER_END_SECONDS,
    KEPT_SECONDS,
    StreamReader,
    StreamWriter,
    place_name,
)

_BREAKER_SECONDS = 1.0
_CATCH_UP_SECONDS = 0.25
_MAX_NAMES = 100
_MAX_STREAMS = 100  # that are written or read in one flush

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_relay(bells: RedisBells) -> AsyncIterator[RedisRelay]:
    """Give the relay of this process, working until the context ends, whether Redis is up or not.

    Output of other processes is heard if the bells hear the feed's channel.
    """
    relay = RedisRelay(bells)
    try:
        async with asyncio.TaskGroup() as group:
            work = group.create_task(relay.run(), name="relay")
            try:
                yield relay
            finally:
                work.cancel()
    finally:
        await relay.close()


@dataclass(slots=True)
class _Mirror:
    """What is known here of an attempt elsewhere."""

    place: OutputPlace
    reader: StreamReader
    looked: asyncio.Future[None] | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """What a watcher sees; fills the port `OutputView`."""

    relay: RedisRelay
    local: OutputView
    place: OutputPlace

    @property
    def texts(self) -> Mapping[int, str]:
        """Return the text so far of each model."""
        return self.local.texts

    async def catch_up(self) -> None:
        """See what was shown here or, if Redis answers at once, elsewhere."""
        await self.local.catch_up()
        await self.relay.look_at(self.place)


class RedisRelay:
    """The relay of one process; who watches an attempt of this process needs no Redis."""

    def __init__(
        self, bells: RedisBells, timers: Callable[[], Timers] = asyncio.get_running_loop
    ) -> None:
        self._redis = connect(bells.url)
        self._origin = bells.origin
        self._local = LocalRelay(timers, self._send_soon)
        self._streams: dict[Writer, StreamWriter] = {}
        self._unsent: dict[Writer, None] = {}
        self._mirrors: dict[str, _Mirror] = {}
        self._stale: dict[str, None] = {}
        self._due = asyncio.Event()
        self._looks = Pulse(TICK_SECONDS, self._due.set, timers)
        self._silent_until = 0.0
        bells.call_output(self._hear)

    # The relay

    def open(self, place: OutputPlace, secrets: OpenedSecrets) -> AttemptOutput:
        """Return where an attempt of this process shows its output."""
        return self._local.open(place, secrets)

    @contextmanager
    def watch(self, place: OutputPlace, nudge: Callable[[], None]) -> Iterator[OutputView]:
        """Watch from entering the context on, wherever the attempt runs."""
        try:
            with self._local.watch(place, nudge) as view:
                self._mirror(place)
                yield _View(self, view, place)
        finally:
            if not self._local.is_watched(place):
                self._mirrors.pop(place_name(place), None)

    async def look_at(self, place: OutputPlace) -> None:
        """Return when what was sent before this call is seen, in a quarter second at the latest."""
        mirror = self._mirrors.get(place_name(place))
        if mirror is None or self._is_silent:
            return
        if mirror.looked is None:
            mirror.looked = asyncio.get_running_loop().create_future()
        self._stale[place_name(place)] = None
        self._due.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                await asyncio.shield(mirror.looked)

    # Its work

    async def run(self) -> None:
        """Send what grew here and look at what grew elsewhere, until cancelled."""
        while True:
            raise_if_cancelled()
            await self._due.wait()
            self._due.clear()
            if self._is_silent:
                continue
            try:
                await self._send()
                await self._look()
            except REDIS_ERRORS as error:
                self._fall_silent(error)
            if self._unsent or self._stale:
                self._due.set()

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    @property
    def _is_silent(self) -> bool:
        return asyncio.get_running_loop().time() < self._silent_until

    def _fall_silent(self, error: Exception) -> None:
        """Leave Redis alone for a second. What has ended by now is not sent any more."""
        loop = asyncio.get_running_loop()
        self._silent_until = loop.time() + _BREAKER_SECONDS
        loop.call_at(self._silent_until, self._due.set)
        for writer in [each for each in self._streams if each.is_closed]:
            self._drop(writer)
        log.warning("relay.unheard", reason=str(error) or type(error).__name__)

    # Sending

    def _send_soon(self, writers: Collection[Writer]) -> None:
        for writer in writers:
            if writer.texts and not (writer.is_closed and self._is_silent):
                self._unsent[writer] = None
                self._streams.setdefault(writer, StreamWriter(writer.place))
            elif writer.is_closed:
                self._drop(writer)
        if self._unsent:
            self._due.set()

    async def _send(self) -> None:
        batch = list(self._unsent)[:_MAX_STREAMS]
        if not batch:
            return
        for writer in batch:
            del self._unsent[writer]
        try:
            await self._flush([each for each in batch if self._lacks(each)])
        except REDIS_ERRORS:
            for writer in batch:
                self._streams[writer].forget()
                self._unsent[writer] = None
            raise

    def _lacks(self, writer: Writer) -> bool:
        return writer.is_closed or self._streams[writer].has_news(writer.texts)

    async def _flush(self, writers: list[Writer]) -> None:
        """Write what the streams lack and ring for them, all at once."""
        if not writers:
            return
        positions: list[tuple[Writer, int]] = []
        async with self._redis.pipeline(transaction=False) as pipe:
            for writer in writers:
                kept = KEPT_AFTER_END_SECONDS if writer.is_closed else KEPT_SECONDS
                self._streams[writer].write(pipe, writer.texts, kept)
                positions.append((writer, len(pipe) - 1))
            names = " ".join(OUTPUT_MARK + place_name(each.place) for each in writers)
            pipe.publish(FEED_CHANNEL, f"{self._origin} {names}")
            answers = await pipe.execute()
        for writer, position in positions:
            self._check(writer, answers[position])

    def _check(self, writer: Writer, entry_count: int) -> None:
        """Send everything anew if the stream was lost meanwhile; forget what has ended."""
        if not self._streams[writer].check(entry_count):
            self._unsent[writer] = None
        elif writer.is_closed and writer not in self._unsent:
            self._drop(writer)

    def _drop(self, writer: Writer) -> None:
        self._streams.pop(writer, None)
        self._unsent.pop(writer, None)

    # Hearing

    def _mirror(self, place: OutputPlace) -> None:
        name = place_name(place)
        if name not in self._mirrors and not self._local.is_written(place):
            self._mirrors[name] = _Mirror(place, StreamReader(place))
            self._hear([name])

    def _hear(self, names: Collection[str] | None) -> None:
        """Look soon at what was rung for and is watched here; None means everything."""
        known = self._mirrors.keys()
        self._stale.update(dict.fromkeys(known if names is None else known & set(names)))
        if self._stale:
            self._looks.ask()

    async def _look(self) -> None:
        names = list(self._stale)[:_MAX_STREAMS]
        mirrors = [self._mirrors[name] for name in names if name in self._mirrors]
        for name in names:
            del self._stale[name]
        waiting = [mirror.looked for mirror in mirrors if mirror.looked is not None]
        for mirror in mirrors:
            mirror.looked = None
        try:
            await self._read(mirrors)
        except REDIS_ERRORS:
            self._stale.update(dict.fromkeys(names))
            raise
        finally:
            for looked in waiting:
                looked.set_result(None)

    async def _read(self, mirrors: list[_Mirror]) -> None:
        if not mirrors:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for mirror in mirrors:
                pipe.xrange(mirror.reader.key, mirror.reader.begin)
            answers = await pipe.execute()
        for mirror, entries in zip(mirrors, answers, strict=True):
            if entries:
                mirror.reader.read(entries)
                self._local.show(mirror.place, mirror.reader.texts)
