"""The only writer of statuses: one method for each move, one transaction for each entry.

An `Entry` gathers the moves that become true together (a step ends and the next one starts) and
their events; `record` commits it if its lease still holds. When the guard finds no row, nothing
is written and `LeaseLost` tells the holder to stop.

Invariants: every write carries the fence; a step's result is stored at most once, with its event
and the position; events are numbered in the same transaction; a final status never changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from promptpilot.clock import Clock, to_ms
from promptpilot.engine import events, lifecycle
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Columns, FencedWrite, Recorded
from promptpilot.engine.definition import Step
from promptpilot.engine.events import EventDraft, EventKind
from promptpilot.engine.lifecycle import (
    ExecutionMove,
    ExecutionStatus,
    StepMove,
    StepStatus,
    WaitReason,
)
from promptpilot.engine.reasons import Reason
from promptpilot.engine.scope import Outcome
from promptpilot.errors import LeaseLost
from promptpilot.ids import Kind, new_id
from promptpilot.models.address import Dialect
from promptpilot.models.columns import dump_json, encode_json
from promptpilot.models.database import Database

_HANDOVER_IN_MS = 0

_FIND = "SELECT status, last_seq FROM executions WHERE id = $1 AND workspace_id = $2"
_REQUEST_CANCEL = """
UPDATE executions
SET cancel_requested_at = coalesce(cancel_requested_at, $2),
    cancel_reason = coalesce(cancel_reason, $3)
WHERE id = $1 AND status = 'RUNNING'
"""
_CANCEL = """
UPDATE executions
SET status = 'CANCELLED', wait_reason = NULL, ready_at = NULL, owner = NULL, current_path = NULL,
    step_started_at = NULL, attempt_started_at = NULL, finished_at = $2,
    cancel_requested_at = coalesce(cancel_requested_at, $2),
    cancel_reason = coalesce(cancel_reason, $3), last_seq = last_seq + 1
WHERE id = $1 AND status IN ('PENDING', 'WAITING', 'PAUSED')
"""
_CANCEL_EVENT = """
INSERT INTO execution_events (execution_id, seq, kind, at, from_status, to_status)
VALUES ($1, $2, $3, $4, $5, 'CANCELLED')
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and millionths of a dollar; a cost of None is unknown."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int | None = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A step of an execution: its definition, its position and its path."""

    step: Step
    position: int

    @property
    def path(self) -> str:
        """Where the step is in the execution; stable and unique from its first start."""
        return str(self.position)


@dataclass(frozen=True, slots=True)
class AttemptMark:
    """An attempt that began: its number, its instant and that of the step's first attempt (ms)."""

    number: int
    started_at: int
    step_started_at: int


@dataclass(frozen=True, slots=True)
class Ended:
    """What a step leaves behind when it ends."""

    outcome: Outcome
    input: Any = None
    model_calls: Sequence[dict[str, Any]] = ()
    usage: Usage = Usage()


@dataclass(slots=True)
class Entry:
    """Moves of one execution that become true together. Made for one lease, recorded once."""

    id: str
    fence: int
    last_seq: int
    position: int
    status: ExecutionStatus = ExecutionStatus.RUNNING
    wait_reason: WaitReason | None = None
    ready_in_ms: int | None = None
    current_path: str | None = None
    current_attempt: int = 0
    step_started_at: int | None = None
    is_progress: bool = False
    output: str | None = None
    error: str | None = None
    usage: list[Usage] = field(default_factory=list)
    steps: list[Columns] = field(default_factory=list)
    attempts: list[Columns] = field(default_factory=list)
    events: list[EventDraft] = field(default_factory=list)
    dead_letter: Columns | None = None

    def skip_step(self, place: Place, outcome: Outcome) -> None:
        """End a step that is not run: SKIPPED, or FAILED because its guard could not be read."""
        move = StepMove.SKIPPED if outcome.status is StepStatus.SKIPPED else StepMove.FAILED
        target = lifecycle.step_target_of(StepStatus.PENDING, move)
        self.events.append(events.step_changed(place.path, 0, StepStatus.PENDING, target))
        self._add_step(place, Ended(outcome), None)

    def begin_step(self, place: Place, attempt: int, step_started_at: int | None) -> None:
        """Mark `attempt` of a step as running. A first attempt gets its instant from the write."""
        before = StepStatus.PENDING if attempt == 1 else StepStatus.WAITING
        target = lifecycle.step_target_of(before, StepMove.STARTED)
        if step_started_at is None:
            self.events.append(events.step_changed(place.path, attempt, before, target))
        self.position = place.position
        self.current_path = place.path
        self.current_attempt = attempt
        self.step_started_at = step_started_at

    def resume_step(self, place: Place, attempt: int, step_started_at: int) -> None:
        """Mark an attempt after a wait as running, and tell of it."""
        self.begin_step(place, attempt, step_started_at)
        waited = events.step_changed(place.path, attempt, StepStatus.WAITING, StepStatus.RUNNING)
        self.events.append(waited)

    def end_step(self, place: Place, mark: AttemptMark, ended: Ended) -> None:
        """Store the result of a step that ran. It is never computed again."""
        status = ended.outcome.status
        move = StepMove.COMPLETED if status is StepStatus.COMPLETED else StepMove.FAILED
        target = lifecycle.step_target_of(StepStatus.RUNNING, move)
        changed = events.step_changed(place.path, mark.number, StepStatus.RUNNING, target)
        self.events.append(changed)
        self._add_step(place, ended, mark)
        self.position = place.position + 1
        self.is_progress = True

    def end_attempt(self, place: Place, mark: AttemptMark, error: Reason) -> None:
        """Store an attempt that was cut off without ending its step; another one follows."""
        cut_off = Ended(Outcome(StepStatus.FAILED, error=error))
        self._add_attempt(place, mark, cut_off, None)
        self.events.append(events.retry_scheduled(place.path, mark.number))

    def park_for_retry(
        self, place: Place, mark: AttemptMark, failed: Ended, wait: timedelta
    ) -> None:
        """Store a failed attempt and wait, without a worker, before the next one."""
        wait_ms = wait // timedelta(milliseconds=1)
        self._add_attempt(place, mark, failed, wait_ms)
        waiting = lifecycle.step_target_of(StepStatus.RUNNING, StepMove.PARKED)
        changed = events.step_changed(place.path, mark.number, StepStatus.RUNNING, waiting)
        self.events += [events.retry_scheduled(place.path, mark.number), changed]
        self._keep_place(place, mark)
        self._leave(ExecutionMove.PARKED, WaitReason.RETRY, wait_ms)

    def hand_over(self) -> None:
        """Give the execution back between two steps, to be claimed by another worker at once."""
        self._leave(ExecutionMove.HANDED_OVER, WaitReason.HANDOVER, _HANDOVER_IN_MS)

    def hand_over_step(self, place: Place, mark: AttemptMark, error: Reason) -> None:
        """Give the execution back in the middle of a step; the attempt is recorded as stopped."""
        self.end_attempt(place, mark, error)
        self._keep_place(place, mark)
        self.hand_over()

    def complete(self, output: dict[str, Any]) -> None:
        """End the execution well."""
        self.output = dump_json(output, ("output",))
        self._finish(ExecutionMove.COMPLETED)

    def fail(self, error: Reason, *, opens_dead_letter: bool) -> None:
        """End the execution with `error`, in front of somebody if no person waits for it."""
        self.error = encode_json(error)
        self._finish(ExecutionMove.FAILED)
        if opens_dead_letter:
            self.dead_letter = {
                "id": new_id(Kind.DEAD_LETTER),
                "execution_id": self.id,
                "error": self.error,
                "error_code": error["code"],
            }

    def cancel(self) -> None:
        """End the execution on request."""
        self._finish(ExecutionMove.CANCELLED)

    def cancel_step(self, place: Place, mark: AttemptMark) -> None:
        """End the running step and the execution on request."""
        target = lifecycle.step_target_of(StepStatus.RUNNING, StepMove.CANCELLED)
        changed = events.step_changed(place.path, mark.number, StepStatus.RUNNING, target)
        self.events.append(changed)
        self._add_step(place, Ended(Outcome(target)), mark)
        self.cancel()

    def _finish(self, move: ExecutionMove) -> None:
        self._leave(move, None, None)
        self.current_path = None
        self.step_started_at = None

    def _leave(
        self, move: ExecutionMove, reason: WaitReason | None, ready_in_ms: int | None
    ) -> None:
        target = lifecycle.target_of(self.status, move)
        if move is not ExecutionMove.HANDED_OVER:
            self.events.append(events.execution_changed(self.status, target))
        self.status = target
        self.wait_reason = reason
        self.ready_in_ms = ready_in_ms

    def _keep_place(self, place: Place, mark: AttemptMark) -> None:
        """Remember the attempt that was made last, so that the next worker goes on counting."""
        self.position = place.position
        self.current_path = None
        self.current_attempt = mark.number
        self.step_started_at = mark.step_started_at

    def _add_step(self, place: Place, ended: Ended, mark: AttemptMark | None) -> None:
        outcome = ended.outcome
        self.usage.append(ended.usage)
        self.steps.append(
            {
                "execution_id": self.id,
                "path": place.path,
                "position": place.position,
                "step_id": place.step.id,
                "step_name": place.step.name,
                "step_type": place.step.type.value,
                "status": outcome.status.value,
                "skip_reason": outcome.skip_reason,
                "attempt": mark.number if mark else 0,
                "fence": self.fence,
                "started_at": mark.step_started_at if mark else None,
                "attempt_started_at": mark.started_at if mark else None,
                "input": _json(ended.input),
                "output": _json(outcome.output),
                "error": _json(outcome.error),
                "model_calls": _json(list(ended.model_calls) or None),
                "prompt_tokens": ended.usage.prompt_tokens,
                "completion_tokens": ended.usage.completion_tokens,
                "cost_micros": ended.usage.cost_micros,
            }
        )

    def _add_attempt(
        self, place: Place, mark: AttemptMark, ended: Ended, next_in_ms: int | None
    ) -> None:
        self.usage.append(ended.usage)
        self.attempts.append(
            {
                "execution_id": self.id,
                "path": place.path,
                "number": mark.number,
                "fence": self.fence,
                "status": ended.outcome.status.value,
                "started_at": mark.started_at,
                "error": _json(ended.outcome.error),
                "next_in_ms": next_in_ms,
                "model_calls": _json(list(ended.model_calls) or None),
            }
        )

    def as_write(self) -> FencedWrite:
        """Return the entry as one fenced transaction."""
        costs = [usage.cost_micros for usage in self.usage]
        columns: Columns = {
            "status": self.status.value,
            "wait_reason": self.wait_reason,
            "ready_in_ms": self.ready_in_ms,
            "position": self.position,
            "current_path": self.current_path,
            "current_attempt": self.current_attempt,
            "step_started_at": self.step_started_at,
            "is_final": self.status.is_final,
            "is_progress": self.is_progress,
            "output": self.output,
            "error": self.error,
            "prompt_tokens": sum(usage.prompt_tokens for usage in self.usage),
            "completion_tokens": sum(usage.completion_tokens for usage in self.usage),
            "cost_micros": sum(cost or 0 for cost in costs),
            "has_unknown_cost": None in costs,
        }
        return FencedWrite(
            id=self.id,
            fence=self.fence,
            expected_seq=self.last_seq,
            columns=columns,
            steps=tuple(self.steps),
            attempts=tuple(self.attempts),
            events=tuple(
                _event(self.id, number, draft) for number, draft in enumerate(self.events, start=1)
            ),
            dead_letter=self.dead_letter,
        )


async def record(committer: Committer, entry: Entry) -> Recorded:
    """Commit the entry. Raises `LeaseLost` if another worker owns it; nothing was written then."""
    return confirm(entry, await submit(committer, entry))


def submit(committer: Committer, entry: Entry) -> asyncio.Future[Recorded | None]:
    """Send the entry off to be committed; `confirm` what comes of it."""
    return committer.record(entry.as_write())


def confirm(entry: Entry, recorded: Recorded | None) -> Recorded:
    """Return what was committed. Raises `LeaseLost` if another worker owns the execution."""
    if recorded is None:
        raise LeaseLost(f"Execution {entry.id} is not held under fence {entry.fence} any more.")
    return recorded


async def cancel_from_outside(
    database: Database,
    clock: Clock,
    workspace_id: str,
    execution_id: str,
    reason: str | None,
) -> ExecutionStatus | None:
    """Cancel an execution that nobody holds, or ask its holder to; final ones stay as they are.

    Returns the status that was found, None when there is no such execution. The row is locked
    first, so a race with its holder, or with another request, has exactly one outcome.
    """
    now = to_ms(clock.now())
    lock = " FOR UPDATE" if database.dialect is Dialect.POSTGRES else ""
    async with database.transaction():
        rows = await database.fetch(_FIND + lock, execution_id, workspace_id)
        if not rows:
            return None
        status = ExecutionStatus(rows[0]["status"])
        if status is ExecutionStatus.RUNNING:
            await database.execute(_REQUEST_CANCEL, execution_id, now, reason)
        elif not status.is_final:
            await database.execute(_CANCEL, execution_id, now, reason)
            told = (execution_id, rows[0]["last_seq"] + 1, EventKind.EXECUTION_STATUS.value)
            await database.execute(_CANCEL_EVENT, *told, now, status.value)
        return status


def _event(execution_id: str, number: int, draft: EventDraft) -> Columns:
    return {
        "execution_id": execution_id,
        "number": number,
        "kind": draft.kind.value,
        "path": draft.path,
        "attempt": draft.attempt,
        "from_status": draft.from_status,
        "to_status": draft.to_status,
        "data": _json(draft.data),
    }


def _json(value: Any) -> str | None:
    return None if value is None else encode_json(value)
