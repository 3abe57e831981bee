"""Claims what is due and drives it, many executions at a time, inside one process.

The database is the queue: being woken, or after `poll`, the runner claims as many due executions
as it has free slots for. A bell only shortens the wait. Heartbeats of all leases go out in one
statement.

After a crash: whatever this runner held is due again when its leases run out, for any runner.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from promptpilot.engine import solo
from promptpilot.engine.advance import advance
from promptpilot.engine.asks import look_forever
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.lease import Lease, beat_forever, monotonic
from promptpilot.engine.ports import Waker
from promptpilot.engine.tools import Tools
from promptpilot.errors import Unavailable

_MAX_CLAIM = 100
#: Under load, claim again when one in this many slots is free: several executions a claim.
_CLAIM_SHARE = 5
#: Claims of an expired lease in a row, without progress, from which an execution runs alone.
QUARANTINE_CRASHES = 2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """How one runner works. `slots` bounds the executions it holds at a time."""

    owner: str
    slots: int = 100
    lease: timedelta = timedelta(seconds=15)
    poll: timedelta = timedelta(milliseconds=500)
    solo: solo.SoloSettings = field(default_factory=solo.SoloSettings)


class Runner:
    """One claim loop and its executions. `run` it once; end it with `drain`."""

    def __init__(self, tools: Tools, waker: Waker, settings: RunnerSettings) -> None:
        self._tools = tools
        self._waker = waker
        self._settings = settings
        self._leases: dict[tuple[str, int], Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._bell = asyncio.Event()
        self._is_draining = False
        #: More may be due than there were slots for.
        self._may_be_more = False
        self._ended = asyncio.Event()
        #: Held from a claim's departure until what it brought is driven.
        self._claim_turn = asyncio.Lock()
        #: Places for executions that run alone; whoever waits for one keeps its lease.
        self._solo_places = asyncio.Semaphore(settings.solo.at_once)

    @property
    def free_slots(self) -> int:
        """How many more executions it could take now."""
        return max(0, self._settings.slots - len(self._tasks))

    @property
    def is_draining(self) -> bool:
        """Whether it takes no more executions."""
        return self._is_draining

    def wake(self) -> None:
        """Look for due executions now. May be called any number of times."""
        self._bell.set()

    async def run(self) -> None:
        """Claim and drive until drained. Raises only for a bug of ours."""
        beats = asyncio.create_task(
            beat_forever(self._tools.committer, self._leases.values(), self._settings.lease)
        )
        looks = asyncio.create_task(
            look_forever(self._tools.database, self._settings.owner, self._leases.values())
        )
        try:
            while not self._is_draining:
                await self._claim_all()
                await self._rest()
            await self._ended.wait()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            beats.cancel()
            looks.cancel()
            await asyncio.gather(beats, looks, return_exceptions=True)

    async def drain(self, grace: timedelta) -> None:
        """Take nothing more, let running steps end within `grace`, give the rest back, return."""
        self._is_draining = True
        self._bell.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace.total_seconds()):
                async with self._claim_turn:  # a claim on its way may bring more to wait for
                    pass
                if self._tasks:
                    await asyncio.wait(list(self._tasks))
        await asyncio.sleep(0)  # what is cancelled before it has begun gives nothing back
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ended.set()
        self._waker.wake()

    async def _rest(self) -> None:
        """Wait for the bell or the next poll; polls of many workers are spread by chance."""
        if self._is_draining:
            return
        seconds = self._settings.poll.total_seconds() * random.uniform(0.7, 1.3)  # noqa: S311
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return

    async def _claim_all(self) -> None:
        """Claim in batches until nothing is due or no slot is free; then tell other workers."""
        self._bell.clear()
        while not self._is_draining:
            wanted = min(self.free_slots, _MAX_CLAIM)
            if wanted == 0:
                self._pass_on()
                return
            self._may_be_more = False
            if await self._claim_and_start(wanted) < wanted:
                return

    def _pass_on(self) -> None:
        """Ring for another worker, once, because this one has no slot for what may be due."""
        if not self._may_be_more:
            self._may_be_more = True
            self._waker.wake()

    async def _claim_and_start(self, wanted: int) -> int:
        """Claim and drive at most `wanted` executions; return how many."""
        async with self._claim_turn:
            sent_at = monotonic()  # leases count from before the claim, as the database's do
            claimed = await self._claim(wanted)
            for each in claimed:
                self._start(each, sent_at)
            return len(claimed)

    async def _claim(self, limit: int) -> list[Claimed]:
        lease_ms = self._settings.lease // timedelta(milliseconds=1)
        try:
            return await self._tools.committer.claim(self._settings.owner, limit, lease_ms)
        except Unavailable as error:
            log.warning("claim.failed", error=str(error))
            return []

    def _start(self, claimed: Claimed, claimed_at: float) -> None:
        lease = Lease(claimed, self._settings.lease, claimed_at)
        task = asyncio.create_task(self._drive(claimed, lease), name=claimed.id)
        lease.task = task
        key = (claimed.id, claimed.fence)
        self._leases[key] = lease
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(done, key))

    def _drive(self, claimed: Claimed, lease: Lease) -> Coroutine[None, None, None]:
        if claimed.crashes >= QUARANTINE_CRASHES and not claimed.is_cancel_requested:
            return self._run_alone(claimed, lease)
        return advance(claimed, lease, self._tools, lambda: self._is_draining)

    async def _run_alone(self, claimed: Claimed, lease: Lease) -> None:
        if not await self._take_solo_place(lease):
            # Nothing is run: the execution is cancelled, or handed over to another worker.
            await advance(claimed, lease, self._tools, lambda: True)
            return
        try:
            await solo.run_alone(claimed, lease, self._tools, self._settings.solo)
        finally:
            self._solo_places.release()

    async def _take_solo_place(self, lease: Lease) -> bool:
        """Wait for a place; return False if the execution is to be given up meanwhile."""
        if self._is_draining:
            return False
        try:
            await self._solo_places.acquire()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if lease.is_lost or task is None:
                raise
            task.uncancel()
            return False
        if self._is_draining:
            self._solo_places.release()
        return not self._is_draining

    def _forget(self, task: asyncio.Task[None], key: tuple[str, int]) -> None:
        self._tasks.discard(task)
        self._leases.pop(key, None)
        if self._may_be_more and self.free_slots * _CLAIM_SHARE >= self._settings.slots:
            self._bell.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("execution.broken", execution_id=key[0], exc_info=error)
