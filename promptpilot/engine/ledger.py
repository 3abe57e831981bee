"""The only writer of statuses: one method for each move, one transaction for each entry.

An `Entry` gathers the moves that become true together (a step ends and the next one starts) and
their events; `record` commits it if its lease still holds. When the guard finds no row, nothing
is written and `LeaseLost` tells the holder to stop.

Invariants: every write carries the fence; a step's result is stored at most once, with its event
and the position; events are numbered in the same transaction; a final status never changes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from promptpilot.engine import events, lifecycle
from promptpilot.engine import ledger_rows as rows
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Claimed, Columns, FencedWrite, Recorded
from promptpilot.engine.events import EventDraft
from promptpilot.engine.ledger_rows import (
    NOTHING_LEFT,
    AttemptMark,
    Ended,
    Left,
    Place,
    Stored,
    Usage,
    Wait,
)
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
from promptpilot.models.columns import encode_json

_HANDOVER_IN_MS = 0


@dataclass(slots=True)
class Entry:
    """Moves of one execution that become true together. Made for one lease, recorded once."""

    id: str
    fence: int
    last_seq: int
    position: int
    status: ExecutionStatus = ExecutionStatus.RUNNING
    wait_reason: WaitReason | None = None
    paused_wait_reason: WaitReason | None = None
    ready_at: int | None = None
    ready_in_ms: int | None = None
    current_path: str | None = None
    current_attempt: int = 0
    step_started_at: int | None = None
    is_progress: bool = False
    output: str | None = None
    output_bytes: int | None = None
    error: str | None = None
    usage: list[Usage] = field(default_factory=list)
    steps: list[Columns] = field(default_factory=list)
    attempts: list[Columns] = field(default_factory=list)
    events: list[EventDraft] = field(default_factory=list)
    large_outputs: list[Columns] = field(default_factory=list)
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

    def end_step(
        self,
        place: Place,
        mark: AttemptMark,
        ended: Ended,
        before: StepStatus = StepStatus.RUNNING,
    ) -> None:
        """Store the result of a step that ran or waited. It is never computed again."""
        status = ended.outcome.status
        move = StepMove.COMPLETED if status is StepStatus.COMPLETED else StepMove.FAILED
        target = lifecycle.step_target_of(before, move)
        self.events.append(events.step_changed(place.path, mark.number, before, target))
        self._add_step(place, ended, mark)
        self.position = place.position + 1
        self.is_progress = True

    def end_attempt(
        self, place: Place, mark: AttemptMark, error: Reason, left: Left = NOTHING_LEFT
    ) -> None:
        """Store an attempt that was cut off without ending its step; another one follows."""
        cut_off = left.ended(Outcome(StepStatus.FAILED, error=error))
        self._add_attempt(place, mark, cut_off, None)
        self.events.append(events.retry_scheduled(place.path, mark.number))

    def park(self, place: Place, mark: AttemptMark, wait: Wait) -> None:
        """Wait in the middle of a step, without a worker."""
        waiting = lifecycle.step_target_of(StepStatus.RUNNING, StepMove.PARKED)
        changed = events.step_changed(place.path, mark.number, StepStatus.RUNNING, waiting)
        self.events.append(changed)
        self.steps.append({**rows.waiting_row(self.id, place, mark, wait), "fence": self.fence})
        self._keep_place(place, mark)
        self._leave(ExecutionMove.PARKED, wait.reason)
        self.ready_at, self.ready_in_ms = wait.until_ms, wait.in_ms

    def park_for_retry(
        self, place: Place, mark: AttemptMark, failed: Ended, pause: timedelta
    ) -> None:
        """Store a failed attempt and wait, without a worker, before the next one."""
        in_ms = pause // timedelta(milliseconds=1)
        wait = Wait(WaitReason.RETRY, in_ms=in_ms, input=failed.input)
        self._add_attempt(place, mark, failed, wait.in_ms)
        self.events.append(events.retry_scheduled(place.path, mark.number))
        self.park(place, mark, wait)

    def pause(self) -> None:
        """Hold the execution between two steps, or in the wait that it has just begun.

        Committed only while a pause is asked for; otherwise the entry is refused like one of a
        lost lease.
        """
        self.paused_wait_reason, before = self.wait_reason, self.status
        self.status = lifecycle.target_of(before, ExecutionMove.PAUSED)
        self.wait_reason = None
        self.events.append(events.execution_changed(before, self.status))

    def stay(self, claimed: Claimed) -> None:
        """Keep the place in the middle of a step where the execution was claimed."""
        self.position = claimed.position
        self.current_attempt = claimed.current_attempt
        self.step_started_at = claimed.step_started_at

    def hand_over(self) -> None:
        """Give the execution back between two steps, to be claimed by another worker at once."""
        self._leave(ExecutionMove.HANDED_OVER, WaitReason.HANDOVER)
        self.ready_in_ms = _HANDOVER_IN_MS

    def hand_over_step(
        self, place: Place, mark: AttemptMark, error: Reason, left: Left = NOTHING_LEFT
    ) -> None:
        """Give the execution back in the middle of a step; the attempt is recorded as stopped."""
        self.end_attempt(place, mark, error, left)
        self._keep_place(place, mark)
        self.hand_over()

    def complete(self, output: dict[str, Any]) -> None:
        """End the execution well.

        Raises `InvalidInput` and `LimitExceeded` for an output that cannot be stored; the entry is
        as it was then.
        """
        text = rows.output_text(output)
        stored = rows.stored_output(self.id, rows.EXECUTION_OUTPUT, output, text)
        self.output, self.output_bytes = stored.text, stored.size
        self._keep_aside(stored)
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

    def cancel_step(
        self,
        place: Place,
        mark: AttemptMark,
        before: StepStatus = StepStatus.RUNNING,
        left: Left = NOTHING_LEFT,
    ) -> None:
        """End the step in hand and the execution on request."""
        target = lifecycle.step_target_of(before, StepMove.CANCELLED)
        self.events.append(events.step_changed(place.path, mark.number, before, target))
        self._add_step(place, left.ended(Outcome(target)), mark)
        self.cancel()

    def _finish(self, move: ExecutionMove) -> None:
        self._leave(move, None)
        self.ready_at = self.ready_in_ms = None
        self.current_path = None
        self.step_started_at = None

    def _leave(self, move: ExecutionMove, reason: WaitReason | None) -> None:
        target = lifecycle.target_of(self.status, move)
        if move is not ExecutionMove.HANDED_OVER:
            self.events.append(events.execution_changed(self.status, target))
        self.status = target
        self.wait_reason = reason

    def _keep_place(self, place: Place, mark: AttemptMark) -> None:
        """Remember the attempt that was made last, so that the next worker goes on counting."""
        self.position = place.position
        self.current_path = None
        self.current_attempt = mark.number
        self.step_started_at = mark.step_started_at

    def _add_step(self, place: Place, ended: Ended, mark: AttemptMark | None) -> None:
        self.usage.append(ended.usage)
        output = rows.stored_output(self.id, place.path, ended.outcome.output, ended.output_text)
        row = rows.ended_row(self.id, place, ended, mark, output)
        self.steps.append({**row, "fence": self.fence})
        self._keep_aside(output)

    def _add_attempt(
        self, place: Place, mark: AttemptMark, ended: Ended, next_in_ms: int | None
    ) -> None:
        self.usage.append(ended.usage)
        row = rows.attempt_row(self.id, place, mark, ended, next_in_ms)
        self.attempts.append({**row, "fence": self.fence})

    def _keep_aside(self, output: Stored) -> None:
        if output.aside is not None:
            self.large_outputs.append(output.aside)

    @property
    def has_news(self) -> bool:
        """Whether triggers may listen to what the entry tells: an end, or a question."""
        is_asking = WaitReason.DECISION in {self.wait_reason, self.paused_wait_reason}
        return self.status.is_final or is_asking

    def copied(self) -> Entry:
        """Return an entry to add other moves to; this one stays as it is."""
        return replace(
            self,
            usage=list(self.usage),
            steps=list(self.steps),
            attempts=list(self.attempts),
            events=list(self.events),
            large_outputs=list(self.large_outputs),
        )

    def as_write(self) -> FencedWrite:
        """Return the entry as one fenced transaction."""
        costs = [usage.cost_micros for usage in self.usage]
        columns: Columns = {
            "status": self.status.value,
            "wait_reason": self.wait_reason,
            "paused_wait_reason": self.paused_wait_reason,
            "ready_at": self.ready_at,
            "ready_in_ms": self.ready_in_ms,
            "position": self.position,
            "current_path": self.current_path,
            "current_attempt": self.current_attempt,
            "step_started_at": self.step_started_at,
            "is_final": self.status.is_final,
            "has_news": self.has_news,
            "is_progress": self.is_progress,
            "output": self.output,
            "output_bytes": self.output_bytes,
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
                rows.event_row(self.id, number, draft)
                for number, draft in enumerate(self.events, start=1)
            ),
            large_outputs=tuple(self.large_outputs),
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
