"""Rings the engine's two bells over Redis, and names everything that is ever kept there.

Rules: ringing never waits, blocks or raises; what cannot be sent now is dropped, because workers
and subscribers look at the database anyway. Whoever may have missed a ring is rung.
After a crash: nothing to do; Redis may come back empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
import structlog
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from promptpilot import ids
from promptpilot.cancelling import raise_if_cancelled
from promptpilot.engine.ports import Listener
from promptpilot.local_bells import LocalFeed, LocalWaker

#: Where arq's workers look for jobs. The only job carries no work: it wakes.
QUEUE = "pp:queue"
WAKE_JOB = "wake"
#: Where arq's workers say every few seconds that they are well.
HEALTH_KEY = "pp:worker-health"
#: Says who rings because something became due, and whether a job was laid into the queue.
DOOR_CHANNEL = "pp:door"
#: Says who rings and which executions have new events, or workspaces executions with new statuses,
#: parted by spaces; what begins with the mark names a running step whose output grew.
FEED_CHANNEL = "pp:feed"
OUTPUT_MARK = "~"
#: Its absence says that Redis lost its data, and with it the rings.
ALIVE_KEY = "pp:alive"

#: How long a wake-up job may lie in the queue; sweepers ring again long before.
JOB_EXPIRES_SECONDS = 60

_ANSWER_SECONDS = 0.25
_BREAKER_SECONDS = 1.0
_JOB_PAUSE_SECONDS = 0.05
_GATHER_SECONDS = 0.005  # one job wakes for all that is due; the door bell is not held back
_MAX_JOBS = 100  # that lie in the queue while no worker is there
_MAX_IDS = 200
_SILENCE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)

#: What goes wrong when Redis is away, slow or restarting.
REDIS_ERRORS = (RedisError, OSError, TimeoutError)


def connect(url: str, answer_seconds: float | None = _ANSWER_SECONDS) -> ArqRedis:
    """Return a client of the Redis at `url`; it connects when it is first used.

    A call that is not answered within `answer_seconds` fails; None means that it waits for ever.
    """
    pool: ConnectionPool = ConnectionPool.from_url(
        url, socket_timeout=answer_seconds, socket_connect_timeout=_ANSWER_SECONDS
    )
    client = ArqRedis(
        pool,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        default_queue_name=QUEUE,
        expires_extra_ms=JOB_EXPIRES_SECONDS * 1000,
    )
    client.auto_close_connection_pool = True
    return client


@asynccontextmanager
async def open_bells(url: str, hears: Collection[str] = ()) -> AsyncIterator[RedisBells]:
    """Give the bells of this process, working until the context ends, whether Redis is up or not.

    `hears` are the channels whose rings matter here: the door's for workers, the feed's for
    servers of subscriptions.
    """
    bells = RedisBells(url)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(bells.send_rings(), name="bells: send")
            hearer = group.create_task(bells.hear_rings(hears), name="bells: hear")
            try:
                yield bells
            finally:
                hearer.cancel()
                bells.end()
    finally:
        await bells.close()


class RedisBells:
    """Both bells, a Waker and a Feed. Listeners of this process do not depend on Redis."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.origin = ids.new_reference()
        self._redis = connect(url)
        self._ear = connect(url, None)
        self._runners = LocalWaker()
        self._doors = LocalWaker()
        self._feed = LocalFeed()
        self._output_calls: list[Callable[[Collection[str] | None], None]] = []
        self._rung = asyncio.Event()
        self._news: dict[str, None] = {}
        self._is_due = False
        self._next_job_at = 0.0
        self._is_job_owed = False
        self._silent_until = 0.0
        self._is_ending = False

    # The bells

    def wake(self) -> None:
        """Ring for what became due: here at once, elsewhere as soon as Redis allows."""
        self._runners.wake()
        self._is_due = True
        self._rung.set()

    def ring(self, execution_id: str, workspace_id: str | None = None) -> None:
        """Ring for everybody who listens to the execution or the workspace, here and elsewhere."""
        self._feed.ring(execution_id, workspace_id)
        self._news[execution_id] = None
        if workspace_id is not None:
            self._news[workspace_id] = None  # once for all that is sent together
        self._rung.set()

    def listen(self, execution_id: str) -> AbstractAsyncContextManager[Listener]:
        """Listen from entering the context on."""
        return self._feed.listen(execution_id)

    # Who hears the door bell here

    def call_runner(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when something may be due, wherever that was rung."""
        self._runners.call(callback)

    def call_door(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when a job lies in the queue."""
        self._doors.call(callback)

    def call_output(self, callback: Callable[[Collection[str] | None], None]) -> None:
        """Have `callback` called with the names under which output grew elsewhere.

        None means that rings may have been missed.
        """
        self._output_calls.append(callback)

    # The breaker

    @property
    def is_silent(self) -> bool:
        """Whether Redis failed within the last second; until then nobody asks it anything."""
        return asyncio.get_running_loop().time() < self._silent_until

    def fall_silent(self, error: Exception) -> None:
        """Leave Redis alone for a second, because a call failed."""
        self._drop()
        self._silent_until = asyncio.get_running_loop().time() + _BREAKER_SECONDS
        log.warning("bells.unheard", reason=str(error) or type(error).__name__)

    # What Redis remembers

    async def has_forgotten(self) -> bool:
        """Whether Redis lost its data since remember(). Raise one of REDIS_ERRORS if it's away."""
        return not await self._redis.exists(ALIVE_KEY)

    async def remember(self) -> None:
        """Set the sentinel. Raise one of REDIS_ERRORS if Redis is away."""
        await self._redis.set(ALIVE_KEY, b"1")

    async def version(self) -> str:
        """Return the version of the Redis. Raise one of REDIS_ERRORS if it is away."""
        return str((await self._redis.info("server"))["redis_version"])

    def end(self) -> None:
        """Let send_rings() return once it has sent what was rung, in a second at the latest."""
        self._is_ending = True
        self._rung.set()

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
        await self._ear.aclose()

    # Sending

    async def send_rings(self) -> None:
        """Send what is rung, all of one turn of the loop at once, until end() was called."""
        while not self._is_ending:
            await self._rung.wait()
            await asyncio.sleep(0)
            self._rung.clear()
            if self.is_silent:
                self._drop()
                continue
            try:
                await self._send()
            except REDIS_ERRORS as error:
                self.fall_silent(error)
            await self._gather_rings()

    async def _gather_rings(self) -> None:
        """Under load let rings of some milliseconds share one sending; a lone one goes at once."""
        if not self._is_ending:
            await asyncio.sleep(_GATHER_SECONDS)

    async def _send(self) -> None:
        is_due, self._is_due = self._is_due, False
        has_job = await self._enqueue(is_due=is_due)
        news = list(self._news)
        self._news.clear()
        async with self._redis.pipeline(transaction=False) as pipe:
            if is_due or has_job:
                pipe.publish(DOOR_CHANNEL, f"{self.origin} {WAKE_JOB if has_job else ''}")
            for start in range(0, len(news), _MAX_IDS):
                execution_ids = " ".join(news[start : start + _MAX_IDS])
                pipe.publish(FEED_CHANNEL, f"{self.origin} {execution_ids}")
            if has_job:
                pipe.zremrangebyrank(QUEUE, 0, -1 - _MAX_JOBS)
            if len(pipe):
                await pipe.execute()

    async def _enqueue(self, *, is_due: bool) -> bool:
        """Lay a job into the queue, at most one in 50 ms, but always one after the last ring."""
        self._is_job_owed |= is_due
        loop = asyncio.get_running_loop()
        if not self._is_job_owed:
            return False
        if loop.time() < self._next_job_at:
            loop.call_at(self._next_job_at, self._rung.set)
            return False
        self._is_job_owed = False
        self._next_job_at = loop.time() + _JOB_PAUSE_SECONDS
        return await self._redis.enqueue_job(WAKE_JOB) is not None

    def _drop(self) -> None:
        self._news.clear()
        self._is_due = False
        self._is_job_owed = False

    # Hearing

    async def hear_rings(self, channels: Collection[str]) -> None:
        """Hand on what is rung elsewhere, over losses of Redis, until cancelled."""
        if not channels:
            return
        pause = _FIRST_PAUSE_SECONDS
        while True:
            started_at = asyncio.get_running_loop().time()
            try:
                async with self._ear.pubsub() as subscription:
                    await subscription.subscribe(*channels)
                    await self._hear(subscription)
            except REDIS_ERRORS as error:
                log.warning("bells.deaf", reason=str(error) or type(error).__name__)
            raise_if_cancelled()
            if asyncio.get_running_loop().time() - started_at > _SILENCE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _hear(self, subscription: PubSub) -> None:
        is_asked = False
        while True:
            raise_if_cancelled()
            message = await subscription.get_message(timeout=_SILENCE_SECONDS)
            if message is not None:
                self._obey(message)
                is_asked = False
            elif is_asked:
                raise RedisConnectionError("Redis does not answer any more.")
            else:
                await subscription.ping()
                is_asked = True

    def _obey(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":  # rings may have been missed before
            self._runners.wake()
            self._feed.ring_all()
            self._tell_outputs(None)
        elif message["type"] != "message":
            return
        elif message["channel"] == DOOR_CHANNEL.encode():
            self._hear_door(message["data"].decode(errors="replace"))
        else:
            self._hear_news(message["data"].decode(errors="replace"))

    def _hear_door(self, text: str) -> None:
        origin, _, job = text.partition(" ")
        if job:
            self._doors.wake()
        if origin != self.origin:
            self._runners.wake()

    def _hear_news(self, text: str) -> None:
        origin, *names = text.split(" ")
        if origin == self.origin:
            return
        outputs = [name.removeprefix(OUTPUT_MARK) for name in names if name[:1] == OUTPUT_MARK]
        if outputs:
            self._tell_outputs(outputs)
        for name in names:
            self._feed.ring(name)  # nobody listens to the name of an output

    def _tell_outputs(self, names: Collection[str] | None) -> None:
        for callback in self._output_calls:
            callback(names)
