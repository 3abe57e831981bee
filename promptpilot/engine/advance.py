"""The driver: takes a claimed execution from step to step until it ends, waits or is given back.

Invariant: what is decided is recorded before anything else is done, and what was done is recorded
before the next decision. So `advance` may stop at any point, and may be called again by anybody
who holds the lease: a recorded step is never run again, an unrecorded one is run again under the
same idempotency key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from promptpilot import ids
from promptpilot.clock import from_ms, to_ms
from promptpilot.engine import ledger, plan, reasons, retry
from promptpilot.engine.attempt import Attempts, failed
from promptpilot.engine.commits.items import Claimed, Recorded
from promptpilot.engine.definition import Definition, UnknownOutcomePolicy
from promptpilot.engine.inputs import check_output
from promptpilot.engine.lease import Lease
from promptpilot.engine.ledger import Entry
from promptpilot.engine.ledger_rows import AttemptMark, Ended, Place, Wait
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.engine.plan import Finish, GiveUp, Move, RunStep
from promptpilot.engine.scope import Outcome, Progress
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.base import Waiting
from promptpilot.engine.story import Story, load_answer, load_story
from promptpilot.engine.tools import Tools
from promptpilot.errors import InvalidInput, LeaseLost, LimitExceeded, StepFailed
from promptpilot.models import StepExecution

MANUAL = "MANUAL"

#: Types of steps whose waits end them; after any other wait comes the next attempt.
_RESUMED = frozenset({StepType.DELAY, StepType.DECISION})

#: A move and, if it leads to a step that runs now, the mark of its attempt.
Stand = tuple[Move, AttemptMark | None]

log = structlog.get_logger(__name__)


async def advance(
    claimed: Claimed, lease: Lease, tools: Tools, is_stopping: Callable[[], bool]
) -> None:
    """Drive one execution until it ends, waits, or `is_stopping` says to give it back.

    May be called any number of times. After `LeaseLost` nothing more is written by this call.
    """
    try:
        definition = await tools.versions.get(claimed.workflow_version_id)
        story = await load_story(claimed, definition)
        await _Drive(claimed, lease, tools, definition, is_stopping).run(story)
    except LeaseLost:
        log.info("execution.lost", execution_id=claimed.id, fence=claimed.fence)


class _Drive:
    """One claim of one execution. Holds the number of its newest event between entries."""

    def __init__(
        self,
        claimed: Claimed,
        lease: Lease,
        tools: Tools,
        definition: Definition,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._claimed = claimed
        self._lease = lease
        self._tools = tools
        self._definition = definition
        self._is_stopping = is_stopping
        self._is_interrupted = False
        self._last_seq = claimed.last_seq
        self._attempts = Attempts(claimed, lease, tools)

    async def run(self, story: Story) -> None:
        """Take up where the execution stands, then go from step to step."""
        if await self._stop_untouched(story):
            return
        move, mark = await self._take_up(story)
        while isinstance(move.next, RunStep) and mark is not None:
            place = self._place(move.next.position)
            if self._must_stop():
                await self._stop(place, mark)
                return
            try:
                result = await self._attempts.make(place, mark, move.progress)
            except asyncio.CancelledError:
                self._absorb_cancellation()
                await self._interrupt(place, mark, move.progress)
                return
            except StepFailed as failure:
                if await self._park_for_retry(place, mark, failure):
                    return
                result = failed(failure)
            if isinstance(result, Waiting):
                await self._park(place, mark, result)
                return
            move, mark = await self._go_on(place, mark, result, move.progress)

    # Taking up

    async def _take_up(self, story: Story) -> Stand:
        """Begin where the execution stands: at a wait, in the middle of a step, or before one."""
        claimed = self._claimed
        if claimed.current_attempt == 0:
            now = from_ms(claimed.now)
            move = plan.first_move(self._definition, story.progress, claimed.position, now)
            return move, await self._record_move(self._entry(), move)
        place = self._place(claimed.position)
        if claimed.current_path is not None and self._happens_once(place):
            ended = _failed(reasons.UNKNOWN_OUTCOME)
            return await self._go_on(place, self._claimed_mark(), ended, story.progress)
        if story.waiting is not None and place.step.type in _RESUMED:
            return await self._resume(place, story.waiting, story.progress)
        return await self._next_attempt(place, story)

    async def _next_attempt(self, place: Place, story: Story) -> Stand:
        """Begin the next attempt at a step: after a retry's wait, a handover or a lost worker."""
        claimed, entry = self._claimed, self._entry()
        attempt = claimed.current_attempt + 1
        started_at = claimed.step_started_at or claimed.now
        if claimed.current_path is not None:
            entry.end_attempt(place, self._claimed_mark(), reasons.LOST)
            entry.begin_step(place, attempt, started_at)
        elif story.waiting is not None:
            entry.resume_step(place, attempt, started_at)
        else:
            entry.begin_step(place, attempt, started_at)
        recorded = await self._record(entry)
        return Move(story.progress, (), RunStep(place.position)), _mark(entry, recorded)

    async def _resume(self, place: Place, waiting: StepExecution, progress: Progress) -> Stand:
        """End a step whose wait is over, with the answer that came, and go on."""
        answer = None
        if place.step.type is StepType.DECISION:
            answer = await load_answer(self._claimed.id, place.path)
        mark = _mark_of(waiting)
        try:
            ended = self._attempts.resume(place, mark, progress, answer)
        except StepFailed as failure:
            ended = failed(failure)
        return await self._go_on(place, mark, ended, progress, StepStatus.WAITING)

    # Going on

    async def _go_on(
        self,
        place: Place,
        mark: AttemptMark,
        ended: Ended,
        progress: Progress,
        before: StepStatus = StepStatus.RUNNING,
    ) -> Stand:
        """Record how a step ended together with what is next."""
        now = from_ms(mark.started_at)
        outcome, move = plan.move_after(
            self._definition, progress, place.position, ended.outcome, now
        )
        if _is_past_deadline(outcome):
            move = Move(move.progress, (), GiveUp(reasons.PAST_DEADLINE))
        text = ended.output_text if outcome is ended.outcome else None
        kept = Ended(outcome, ended.input, ended.model_calls, ended.usage, text)
        entry = self._entry()
        entry.end_step(place, mark, kept, before)
        return move, await self._record_move(entry, move)

    async def _record_move(self, entry: Entry, move: Move) -> AttemptMark | None:
        """Record a decision. Return the mark of the step that began; None if none did."""
        for ending in move.endings:
            entry.skip_step(self._place(ending.position), ending.outcome)
        match move.next:
            case RunStep(position) if self._must_stop() or self._lease.is_pause_requested:
                entry.position = position
                await self._give_back(entry)
                return None
            case RunStep(position):
                entry.begin_step(self._place(position), 1, None)
            case Finish(output):
                entry.position = len(self._definition.steps)
                self._finish(entry, output)
            case GiveUp(error):
                self._fail(entry, error)
        recorded = await self._record(entry)
        return _mark(entry, recorded) if entry.current_path is not None else None

    def _finish(self, entry: Entry, output: dict[str, Any]) -> None:
        """Complete the execution; fail it if its output is not what was declared, or too large."""
        try:
            check_output(self._definition, output)
            entry.complete(output)
        except InvalidInput as fault:
            self._fail(entry, reasons.reason(reasons.OUTPUT_INVALID, fault.message))
        except LimitExceeded as fault:
            self._fail(entry, reasons.reason(reasons.OUTPUT_TOO_LARGE, fault.message))

    def _fail(self, entry: Entry, error: reasons.Reason) -> None:
        entry.fail(error, opens_dead_letter=self._claimed.trigger_type != MANUAL)

    # Waiting and stopping

    async def _park(self, place: Place, mark: AttemptMark, waiting: Waiting) -> None:
        """Record that the step waits; the worker is free for others."""
        until_ms = None if waiting.until is None else to_ms(waiting.until)
        wait = Wait(waiting.reason, until_ms=until_ms, input=waiting.input)
        entry = self._entry()
        entry.park(place, mark, wait)
        await self._record_wait(entry)

    async def _park_for_retry(self, place: Place, mark: AttemptMark, failure: StepFailed) -> bool:
        """Record a failed attempt and the wait before the next; return False if it was the last."""
        if not retry.may_retry(place.step, mark.number, failure):
            return False
        pause = retry.wait_before_next(
            place.step.retry, mark.number, ids.random_fraction(), failure.retry_after
        )
        entry = self._entry()
        entry.park_for_retry(place, mark, failed(failure), pause)
        await self._record_wait(entry)
        return True

    async def _record_wait(self, entry: Entry) -> None:
        """Record a wait, which is a boundary too: a pause that is asked for begins in it."""
        if not self._lease.is_pause_requested or not await self._try_pause(entry):
            await self._record(entry)

    async def _give_back(self, entry: Entry) -> None:
        """Stop between two steps: cancelled or paused on request, or for another worker."""
        if self._lease.is_cancel_requested:
            entry.cancel()
        elif self._must_stop() or not await self._try_pause(entry):
            entry.hand_over()
        else:
            return
        await self._record(entry)

    async def _try_pause(self, entry: Entry) -> bool:
        """Record the entry with a pause; return False, nothing written, if it was withdrawn."""
        paused = entry.copied()
        paused.pause()
        try:
            await self._record(paused)
        except LeaseLost:  # or the request is gone: the entry without a pause will tell
            return False
        return True

    async def _stop(self, place: Place, mark: AttemptMark) -> None:
        """Give up the step in hand: cancelled on request, or handed over to another worker."""
        self._refuse_lost_lease()
        entry = self._entry()
        if self._lease.is_cancel_requested:
            entry.cancel_step(place, mark)
        else:
            entry.hand_over_step(place, mark, reasons.STOPPED)
        await self._record(entry)

    async def _interrupt(self, place: Place, mark: AttemptMark, progress: Progress) -> None:
        """Give up the step in hand in the middle of its work, which may have had its effect."""
        self._refuse_lost_lease()
        if self._happens_once(place) and not self._lease.is_cancel_requested:
            await self._go_on(place, mark, _failed(reasons.UNKNOWN_OUTCOME), progress)
        else:
            await self._stop(place, mark)

    def _refuse_lost_lease(self) -> None:
        if self._lease.is_lost:
            raise LeaseLost(f"The lease of execution {self._claimed.id} was lost in a step.")

    async def _stop_untouched(self, story: Story) -> bool:
        """End or hold, without running anything, what was asked to or is past its deadline."""
        claimed, entry = self._claimed, self._entry()
        if self._lease.is_cancel_requested:
            self._cancel_untouched(entry, story)
        elif claimed.deadline_at is not None and claimed.deadline_at <= claimed.now:
            self._expire_untouched(entry, story)
        elif self._lease.is_pause_requested:
            return await self._pause_untouched(entry)
        else:
            return False
        await self._record(entry)
        return True

    def _cancel_untouched(self, entry: Entry, story: Story) -> None:
        hand = self._in_hand(story)
        if hand is None:
            entry.cancel()
        else:
            entry.cancel_step(*hand)

    def _expire_untouched(self, entry: Entry, story: Story) -> None:
        hand = self._in_hand(story)
        if hand is not None:
            place, mark, before = hand
            entry.end_step(place, mark, _failed(reasons.PAST_DEADLINE), before)
        self._fail(entry, reasons.PAST_DEADLINE)

    async def _pause_untouched(self, entry: Entry) -> bool:
        """Hold the execution where it was claimed; False if that is not asked for any more."""
        entry.stay(self._claimed)
        if self._claimed.current_path is not None:
            place = self._place(self._claimed.position)
            if self._happens_once(place):
                return False
            entry.end_attempt(place, self._claimed_mark(), reasons.LOST)
        return await self._try_pause(entry)

    def _in_hand(self, story: Story) -> tuple[Place, AttemptMark, StepStatus] | None:
        """Return the step in which the execution was claimed; None if it was between two."""
        place = self._place(min(self._claimed.position, len(self._definition.steps) - 1))
        if story.waiting is not None:
            return place, _mark_of(story.waiting), StepStatus.WAITING
        if self._claimed.current_path is not None:
            return place, self._claimed_mark(), StepStatus.RUNNING
        return None

    # Recording

    async def _record(self, entry: Entry) -> Recorded:
        """Commit an entry, whole even if this task is cancelled meanwhile; then ring."""
        self._lease.is_given_up = entry.status is not ExecutionStatus.RUNNING
        writing = ledger.submit(self._tools.committer, entry)
        while not writing.done():
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                self._absorb_cancellation()
        recorded = ledger.confirm(entry, writing.result())
        self._last_seq = recorded.last_seq
        self._lease.is_pause_requested = recorded.is_pause_requested
        if recorded.is_cancel_requested:
            self._lease.is_cancel_requested = True
        self._tools.feed.ring(self._claimed.id)
        return recorded

    def _absorb_cancellation(self) -> None:
        """Go on to record why the task was cancelled; the lease or the runner knows."""
        self._is_interrupted = True
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()

    def _must_stop(self) -> bool:
        asked = self._lease.is_lost or self._lease.is_cancel_requested
        return asked or self._is_interrupted or self._is_stopping()

    def _happens_once(self, place: Place) -> bool:
        """Whether an attempt that was cut off must not be made again."""
        is_once = place.step.on_unknown_outcome is UnknownOutcomePolicy.FAIL
        return is_once and self._attempts.has_effects(place)

    def _entry(self) -> Entry:
        claimed = self._claimed
        return Entry(claimed.id, claimed.fence, self._last_seq, claimed.position)

    def _place(self, position: int) -> Place:
        return Place(self._definition.steps[position], position)

    def _claimed_mark(self) -> AttemptMark:
        """Return the mark of the attempt in whose middle the execution was claimed."""
        claimed = self._claimed
        started_at = claimed.attempt_started_at or claimed.now
        return AttemptMark(
            claimed.current_attempt, started_at, claimed.step_started_at or started_at
        )


def _mark(entry: Entry, recorded: Recorded) -> AttemptMark:
    """Return the mark of the attempt that an entry has begun."""
    step_started_at = entry.step_started_at or recorded.at
    return AttemptMark(entry.current_attempt, recorded.at, step_started_at)


def _mark_of(waiting: StepExecution) -> AttemptMark:
    """Return the mark of the attempt after which a step waits."""
    started_at = to_ms(waiting.attempt_started_at) if waiting.attempt_started_at else 0
    step_started_at = to_ms(waiting.started_at) if waiting.started_at else started_at
    return AttemptMark(waiting.attempt, started_at, step_started_at)


def _failed(why: reasons.Reason) -> Ended:
    return Ended(Outcome(StepStatus.FAILED, error=why))


def _is_past_deadline(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error["code"] == reasons.EXECUTION_TIMEOUT
