"""The ledger's moves from outside: what people do to an execution that they do not hold.

Every move locks the execution's row first, so a race with its holder, or with another person, has
exactly one outcome. A RUNNING execution gets a request that its holder obeys; every other one
changes at once, with its events, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from promptpilot.clock import Clock, SystemClock, to_ms
from promptpilot.engine import events, lifecycle
from promptpilot.engine.events import EventDraft
from promptpilot.engine.ledger_rows import path_of
from promptpilot.engine.lifecycle import (
    ExecutionMove,
    ExecutionStatus,
    StepMove,
    StepStatus,
    WaitReason,
)
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database
from promptpilot.models.database_time import NOW_MS

_FIND = """
SELECT status, wait_reason, paused_wait_reason, ready_at, paused_ready_at, position,
    current_attempt, last_seq
FROM executions WHERE id = $1 AND workspace_id = $2
"""
_REQUEST_CANCEL = """
UPDATE executions
SET cancel_requested_at = coalesce(cancel_requested_at, $2),
    cancel_reason = coalesce(cancel_reason, $3)
WHERE id = $1 AND status = 'RUNNING'
"""
_CANCEL = """
UPDATE executions
SET status = 'CANCELLED', wait_reason = NULL, ready_at = NULL, owner = NULL, current_path = NULL,
    paused_wait_reason = NULL, paused_ready_at = NULL, step_started_at = NULL,
    attempt_started_at = NULL, finished_at = $2, news_at = $2,
    cancel_requested_at = coalesce(cancel_requested_at, $2),
    cancel_reason = coalesce(cancel_reason, $3)
WHERE id = $1 AND status IN ('PENDING', 'WAITING', 'PAUSED')
"""
_WAITING_STEP = """
SELECT path FROM step_executions WHERE execution_id = $1 AND status = 'WAITING' AND attempt = $2
"""
_CANCEL_STEP = """
UPDATE step_executions SET status = 'CANCELLED', finished_at = $2, attempt = $3, wake_at = NULL
WHERE execution_id = $1 AND status = 'WAITING'
"""
_REQUEST_PAUSE = """
UPDATE executions SET pause_requested_at = coalesce(pause_requested_at, $2)
WHERE id = $1 AND status = 'RUNNING'
"""
_PAUSE = """
UPDATE executions
SET status = 'PAUSED', pause_requested_at = $2, ready_at = NULL, wait_reason = NULL,
    paused_wait_reason = $3,
    paused_ready_at = CASE WHEN CAST($3 AS TEXT) IS NOT NULL THEN ready_at END
WHERE id = $1 AND status IN ('PENDING', 'WAITING')
"""
_WITHDRAW_PAUSE = """
UPDATE executions SET pause_requested_at = NULL WHERE id = $1 AND status <> 'PAUSED'
"""
_RESUME = """
UPDATE executions
SET status = $2, wait_reason = $3, ready_at = $4, pause_requested_at = NULL,
    paused_wait_reason = NULL, paused_ready_at = NULL
WHERE id = $1 AND status = 'PAUSED'
"""
_DECIDE = """
INSERT INTO decisions (execution_id, path, choice, comment, actor_id, at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_WAKE = "UPDATE executions SET ready_at = $2 WHERE id = $1 AND status = 'WAITING'"
_WAKE_LATER = "UPDATE executions SET paused_ready_at = $2 WHERE id = $1 AND status = 'PAUSED'"
_TOLD = {
    Dialect.POSTGRES: """
UPDATE executions SET last_seq = $2,
    feed_position = greatest(feed_position, pg_current_xact_id()::text::bigint) WHERE id = $1
""",
    Dialect.SQLITE: "UPDATE executions SET last_seq = $2 WHERE id = $1",
}
_TELL = """
INSERT INTO execution_events (execution_id, seq, kind, at, path, attempt, from_status, to_status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
#: SQLite numbers entries itself where no position is given.
_ENTER_FEED = """
INSERT INTO execution_feed (workspace_id, position, execution_id, seq)
SELECT e.workspace_id, e.feed_position, e.id, v.seq
FROM executions e JOIN execution_events v ON v.execution_id = e.id
WHERE e.id = $1 AND v.seq > $2 AND v.kind = 'EXECUTION_STATUS_CHANGED'
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An execution as a move found and locked it."""

    status: ExecutionStatus
    wait_reason: WaitReason | None
    paused_wait_reason: WaitReason | None
    ready_at: int | None
    paused_ready_at: int | None
    position: int
    current_attempt: int
    last_seq: int
    #: The instant of the move.
    now: int

    @property
    def is_undecided(self) -> bool:
        """Whether it waits for a decision, be it paused meanwhile or not."""
        return WaitReason.DECISION in {self.wait_reason, self.paused_wait_reason}

    @property
    def due_at(self) -> int | None:
        """When its wait ends, be it paused meanwhile or not; None if that is not known."""
        return self.paused_ready_at if self.status is ExecutionStatus.PAUSED else self.ready_at


@dataclass(frozen=True, slots=True)
class Choosing:
    """A person's answer at a DECISION step."""

    execution_id: str
    path: str
    choice: str
    comment: str | None
    actor_id: str | None


class Interventions:
    """Locks, judges and changes one execution in one transaction. May be tried again."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        lock = " FOR UPDATE" if database.dialect is Dialect.POSTGRES else ""
        self._find = _FIND + lock
        # The ledger writes by the clock of a shared database: another one could be ahead of it.
        is_shared = database.dialect is Dialect.POSTGRES and isinstance(clock, SystemClock)
        self._asks_time = f"SELECT {NOW_MS[database.dialect]} AS now" if is_shared else None

    async def cancel(
        self, workspace_id: str, execution_id: str, reason: str | None
    ) -> ExecutionStatus | None:
        """Cancel an execution that nobody holds, or ask its holder to; final ones stay.

        Returns the status that was found, None when there is no such execution.
        """

        async def change(found: Found) -> None:
            if found.status is ExecutionStatus.RUNNING:
                await self._database.execute(_REQUEST_CANCEL, execution_id, found.now, reason)
            elif not found.status.is_final:
                await self._cancel(execution_id, found, reason)

        return await self._move(workspace_id, execution_id, change)

    async def pause(self, workspace_id: str, execution_id: str) -> ExecutionStatus | None:
        """Hold an execution, or ask its holder to at the next step; final ones stay.

        Returns the status that was found, None when there is no such execution.
        """

        async def change(found: Found) -> None:
            if found.status is ExecutionStatus.RUNNING:
                await self._database.execute(_REQUEST_PAUSE, execution_id, found.now)
            elif found.status in {ExecutionStatus.PENDING, ExecutionStatus.WAITING}:
                is_handover = found.wait_reason is WaitReason.HANDOVER
                kept = None if is_handover else found.wait_reason
                await self._database.execute(_PAUSE, execution_id, found.now, kept)
                await self._tell_status(execution_id, found, ExecutionMove.PAUSED)

        return await self._move(workspace_id, execution_id, change)

    async def resume(self, workspace_id: str, execution_id: str) -> ExecutionStatus | None:
        """Let a PAUSED execution go on, in its wait if it was in one; withdraw a request.

        A wait's end stays the instant that it was. Returns the status that was found, None when
        there is no such execution.
        """

        async def change(found: Found) -> None:
            if found.status is ExecutionStatus.PAUSED:
                await self._resume(execution_id, found)
            elif not found.status.is_final:
                await self._database.execute(_WITHDRAW_PAUSE, execution_id)

        return await self._move(workspace_id, execution_id, change)

    async def decide(self, found: Found, choosing: Choosing) -> None:
        """Store an answer and let the execution go on. Call it in the transaction of `lock`."""
        now = found.now
        row = (choosing.path, choosing.choice, choosing.comment, choosing.actor_id)
        await self._database.execute(_DECIDE, choosing.execution_id, *row, now)
        await self._database.execute(_WAKE, choosing.execution_id, now)
        await self._database.execute(_WAKE_LATER, choosing.execution_id, now)

    async def lock(self, workspace_id: str, execution_id: str) -> Found | None:
        """Lock an execution's row in the transaction of the caller; None if there is none."""
        rows = await self._database.fetch(self._find, execution_id, workspace_id)
        if not rows:
            return None
        row = rows[0]
        return Found(
            ExecutionStatus(row["status"]),
            _reason(row["wait_reason"]),
            _reason(row["paused_wait_reason"]),
            row["ready_at"],
            row["paused_ready_at"],
            row["position"],
            row["current_attempt"],
            row["last_seq"],
            await self._now(),  # not before the lock: what happened meanwhile would seem later
        )

    async def _move(
        self, workspace_id: str, execution_id: str, change: Callable[[Found], Awaitable[None]]
    ) -> ExecutionStatus | None:
        """Make a change of an execution under its lock; return the status that was found."""
        async with self._database.transaction():
            found = await self.lock(workspace_id, execution_id)
            if found is None:
                return None
            await change(found)
            return found.status

    async def _cancel(self, execution_id: str, found: Found, reason: str | None) -> None:
        told = [_status_event(found, ExecutionMove.CANCELLED)]
        if found.current_attempt > 0:
            told.insert(0, await self._step_event(execution_id, found))
        await self._database.execute(_CANCEL_STEP, execution_id, found.now, found.current_attempt)
        await self._database.execute(_CANCEL, execution_id, found.now, reason)
        await self._tell(execution_id, found, told)

    async def _step_event(self, execution_id: str, found: Found) -> EventDraft:
        """Tell that the step in hand is cancelled: in its wait, or between two workers."""
        waiting = await self._database.fetch(_WAITING_STEP, execution_id, found.current_attempt)
        before = StepStatus.WAITING if waiting else StepStatus.RUNNING
        target = lifecycle.step_target_of(before, StepMove.CANCELLED)
        return events.step_changed(path_of(found.position), found.current_attempt, before, target)

    async def _resume(self, execution_id: str, found: Found) -> None:
        reason = found.paused_wait_reason
        move = ExecutionMove.RESUMED if reason is None else ExecutionMove.PUT_BACK
        target = lifecycle.target_of(found.status, move)
        ready_at = found.now if reason is None else found.paused_ready_at
        await self._database.execute(_RESUME, execution_id, target.value, reason, ready_at)
        await self._tell_status(execution_id, found, move)

    async def _tell_status(self, execution_id: str, found: Found, move: ExecutionMove) -> None:
        await self._tell(execution_id, found, [_status_event(found, move)])

    async def _tell(self, execution_id: str, found: Found, told: Sequence[EventDraft]) -> None:
        for seq, draft in enumerate(told, start=found.last_seq + 1):
            row: tuple[Any, ...] = (draft.path, draft.attempt, draft.from_status, draft.to_status)
            await self._database.execute(
                _TELL, execution_id, seq, draft.kind.value, found.now, *row
            )
        told_sql = _TOLD[self._database.dialect]
        await self._database.execute(told_sql, execution_id, found.last_seq + len(told))
        await self._database.execute(_ENTER_FEED, execution_id, found.last_seq)

    async def _now(self) -> int:
        """Return the instant on the clock by which executions are claimed and written."""
        if self._asks_time is None:
            return to_ms(self._clock.now())
        rows = await self._database.fetch(self._asks_time)
        return int(rows[0]["now"])


def _status_event(found: Found, move: ExecutionMove) -> EventDraft:
    """Tell of the move; a handover between workers is still RUNNING to readers."""
    target = lifecycle.target_of(found.status, move)
    return events.execution_changed(lifecycle.shown_status(found.status, found.wait_reason), target)


def _reason(text: str | None) -> WaitReason | None:
    return None if text is None else WaitReason(text)
