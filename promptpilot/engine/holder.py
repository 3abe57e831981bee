"""Writes for the worker that holds an execution, and knows what is asked of it meanwhile.

Rules
    1. An entry is committed whole, even if its task is cancelled meanwhile; the task goes on then
       to record why it was cancelled.
    2. A step, a wait or a pause begins only if nothing else is asked of the execution at that
       moment. The database refuses the entry otherwise, and the holder looks what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from promptpilot.engine import ledger
from promptpilot.engine.commits.items import Claimed, Recorded, Renewal
from promptpilot.engine.lease import Lease
from promptpilot.engine.ledger import Entry
from promptpilot.engine.ledger_rows import AttemptMark
from promptpilot.engine.lifecycle import ExecutionStatus
from promptpilot.engine.tools import Tools
from promptpilot.errors import LeaseLost

#: So often people may change their minds while one entry is under way.
_MOST_REFUSALS = 100
_MILLISECOND = timedelta(milliseconds=1)

T = TypeVar("T")


class Holder:
    """One claim of one execution. Holds the number of its newest event between entries."""

    def __init__(
        self, claimed: Claimed, lease: Lease, tools: Tools, is_stopping: Callable[[], bool]
    ) -> None:
        self._claimed = claimed
        self._lease = lease
        self._tools = tools
        self._is_stopping = is_stopping
        self._is_interrupted = False
        self._last_seq = claimed.last_seq

    @property
    def must_stop(self) -> bool:
        """Whether nothing new may be begun under this claim."""
        asked = self._lease.is_lost or self._lease.is_cancel_requested
        return asked or self._is_interrupted or self._is_stopping()

    @property
    def claimed_mark(self) -> AttemptMark:
        """The mark of the attempt at which the execution was claimed."""
        claimed = self._claimed
        step_started_at = claimed.step_started_at or claimed.now
        started_at = claimed.attempt_started_at or step_started_at
        return AttemptMark(claimed.current_attempt, started_at, step_started_at)

    def entry(self) -> Entry:
        """Begin an entry."""
        claimed = self._claimed
        return Entry(claimed.id, claimed.fence, self._last_seq, claimed.position)

    async def record(self, entry: Entry) -> Recorded:
        """Commit an entry, then ring. Raises `LeaseLost`; nothing was written then."""
        self._lease.is_given_up = entry.status is not ExecutionStatus.RUNNING
        writing = ledger.submit(self._tools.committer, entry)
        recorded = ledger.confirm(entry, await self.undisturbed(writing))
        is_first, self._last_seq = self._last_seq == self._claimed.last_seq, recorded.last_seq
        self._lease.is_pause_requested = recorded.is_pause_requested
        if recorded.is_cancel_requested:
            self._lease.is_cancel_requested = True
        # The claim changed the status as well, but did not ring.
        has_status = is_first or entry.status is not ExecutionStatus.RUNNING
        workspace_id = self._claimed.workspace_id if has_status else None
        self._tools.feed.ring(self._claimed.id, workspace_id)
        return recorded

    async def try_record(self, entry: Entry) -> Recorded | None:
        """Commit an entry that begins a step, a wait or a pause.

        Return None if something else is asked of the execution; nothing was written then, and
        the lease says what it is. Raises `LeaseLost`.
        """
        try:
            return await self.record(entry)
        except LeaseLost:
            await self.look()
            return None

    async def record_as_asked(self, make: Callable[[], Entry]) -> tuple[Entry, Recorded]:
        """Commit what `make` returns, called again until nothing else is asked meanwhile.

        Return what was committed. Raises `LeaseLost`.
        """
        for _ in range(_MOST_REFUSALS):
            entry = make()
            recorded = await self.try_record(entry)
            if recorded is not None:
                return entry, recorded
        raise LeaseLost(f"Execution {self._claimed.id} was given up in favour of other workers.")

    async def look(self) -> None:
        """Look in the database what is asked of the execution. Raises `LeaseLost`."""
        lease_ms = self._lease.length // _MILLISECOND
        beat = Renewal(self._claimed.id, self._claimed.fence, lease_ms)
        (asked,) = await self.undisturbed(self._tools.committer.renew([beat]))
        if asked is None:
            raise LeaseLost(f"Execution {self._claimed.id} is held by another worker now.")
        self._lease.is_pause_requested = asked.is_pause_requested
        if asked.is_cancel_requested:
            self._lease.is_cancel_requested = True

    async def undisturbed(self, work: Awaitable[T]) -> T:
        """Return what comes of `work`, even if this task is cancelled meanwhile."""
        doing = asyncio.ensure_future(work)
        while not doing.done():
            try:
                await asyncio.shield(doing)
            except asyncio.CancelledError:
                self.absorb_cancellation()
        return doing.result()

    def absorb_cancellation(self) -> None:
        """Go on to record why the task was cancelled; the lease or the runner knows."""
        self._is_interrupted = True
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()

    def refuse_lost_lease(self) -> None:
        """Raise `LeaseLost` if the lease was lost, as far as this process knows."""
        if self._lease.is_lost:
            raise LeaseLost(f"The lease of execution {self._claimed.id} was lost in a step.")
