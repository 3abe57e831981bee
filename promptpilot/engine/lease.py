"""The right to write one execution, for a while: held under a fence, prolonged by beats.

Rules
    1. A worker whose lease may be over starts no side effect: the deadline counts from before the
       last successful beat was sent, so the database's view can only be later.
    2. A lost lease is never taken back; its task is cancelled and writes nothing.

Units: `deadline` is on the machine's monotonic clock, which the loop's own clock is not: that one
stands still while a turn of the loop lasts, also if the process is stopped in the middle of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import timedelta

import structlog

from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Claimed, Renewal, Renewed
from promptpilot.errors import LeaseLost

#: No side effect starts later than this before the end of the lease.
MARGIN = timedelta(seconds=2)
_BEATS_PER_LEASE = 3

log = structlog.get_logger(__name__)


class Lease:
    """One execution held by this process. `task` is what is cancelled when it is lost."""

    def __init__(self, claimed: Claimed, length: timedelta, claimed_at: float) -> None:
        self.execution_id = claimed.id
        self.fence = claimed.fence
        self.length = length
        self.is_lost = False
        self.is_cancel_requested = claimed.is_cancel_requested
        self.is_pause_requested = claimed.is_pause_requested
        #: Its holder has sent the entry that gives it up: no beat has to find it any more.
        self.is_given_up = False
        self.task: asyncio.Task[None] | None = None
        self._deadline = claimed_at + length.total_seconds()

    @property
    def counts_from(self) -> float:
        """The instant of the loop's clock from which its present length counts."""
        return self._deadline - self.length.total_seconds()

    def check(self) -> None:
        """Raise `LeaseLost` if the lease may run out before a side effect could begin."""
        margin = min(MARGIN, self.length / _BEATS_PER_LEASE)
        if self.is_lost or monotonic() > self._deadline - margin.total_seconds():
            raise LeaseLost(f"The lease of execution {self.execution_id} may be over.")

    async def hold_or_hang(self) -> None:
        """Return, without letting anything else happen, if a side effect may begin now.

        Otherwise give the lease up and wait for the cancellation of its task.
        """
        try:
            self.check()
        except LeaseLost:
            if self.task is None:
                raise
            if not self.is_lost:
                self._lose()
            await asyncio.get_running_loop().create_future()

    def note(self, beat: Renewed | None, sent_at: float) -> None:
        """Take in the answer to a beat that was sent at `sent_at`; None means it is lost."""
        if beat is None:
            if not self.is_given_up:
                self._lose()
            return
        self._deadline = sent_at + self.length.total_seconds()
        self.heed(
            is_cancel_requested=beat.is_cancel_requested, is_pause_requested=beat.is_pause_requested
        )

    def heed(self, *, is_cancel_requested: bool, is_pause_requested: bool) -> None:
        """Take in what is asked of the execution: to cancel interrupts its task, to pause not."""
        self.is_pause_requested = is_pause_requested
        if is_cancel_requested and not self.is_cancel_requested:
            self.is_cancel_requested = True
            self._interrupt()

    def note_silence(self) -> None:
        """Take in that a beat got no answer: past the deadline the lease counts as lost."""
        if monotonic() > self._deadline:
            self._lose()

    def _lose(self) -> None:
        self.is_lost = True
        log.warning("lease.lost", execution_id=self.execution_id, fence=self.fence)
        self._interrupt()

    def _interrupt(self) -> None:
        if self.task is not None:
            self.task.cancel()


async def beat_forever(committer: Committer, leases: Iterable[Lease], length: timedelta) -> None:
    """Prolong all of `leases`, whatever they are at the time, three times a lease."""
    while True:
        await asyncio.sleep(length.total_seconds() / _BEATS_PER_LEASE)
        await beat(committer, list(leases))


async def beat(committer: Committer, leases: list[Lease]) -> None:
    """Prolong `leases` in one statement, and tell each what came of it."""
    sent_at = monotonic()
    length_of = timedelta(milliseconds=1)
    beats = [Renewal(each.execution_id, each.fence, each.length // length_of) for each in leases]
    try:
        answers = await committer.renew(beats)
    except Exception as error:  # noqa: BLE001 -- beats must go on; unanswered ones end the lease
        log.warning("lease.unbeaten", count=len(leases), error=repr(error))
        for lease in leases:
            lease.note_silence()
        return
    for lease, answer in zip(leases, answers, strict=True):
        lease.note(answer, sent_at)


def monotonic() -> float:
    """Return the machine's monotonic clock, in seconds; the same in all its processes."""
    return time.monotonic()
