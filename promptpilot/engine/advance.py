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
from promptpilot.engine import course, plan, reasons, retry
from promptpilot.engine.attempt import Attempts, failed
from promptpilot.engine.commits.items import Claimed, Recorded
from promptpilot.engine.definition import Definition, UnknownOutcomePolicy
from promptpilot.engine.holder import Holder
from promptpilot.engine.inputs import check_output
from promptpilot.engine.lease import Lease
from promptpilot.engine.ledger import Entry
from promptpilot.engine.ledger_rows import NOTHING_LEFT, AttemptMark, Ended, Left, Place, Wait
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.plan import Finish, GiveUp, Move, RunStep
from promptpilot.engine.scope import Outcome, Progress
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.base import Waiting
from promptpilot.engine.story import Story, load_answer, load_story
from promptpilot.engine.tools import Tools
from promptpilot.errors import InvalidInput, LeaseLost, LimitExceeded, StepFailed
from promptpilot.models import StepExecution

MANUAL = "MANUAL"

#: A move and, if it leads to a step that runs now, the mark of its attempt.
Stand = tuple[Move, AttemptMark | None]

log = structlog.get_logger(__name__)


async def advance(
    claimed: Claimed, lease: Lease, tools: Tools, is_stopping: Callable[[], bool]
) -> None:
    """Drive one execution until it ends, waits, or `is_stopping` says to give it back.

    May be called any number of times. After `LeaseLost` nothing more is written by this call.
    """
    holder = Holder(claimed, lease, tools, is_stopping)
    try:
        definition, story = await holder.undisturbed(_load(claimed, tools))
        await _Drive(claimed, lease, tools, definition, holder).run(story)
    except LeaseLost:
        log.info("execution.lost", execution_id=claimed.id, fence=claimed.fence)


async def _load(claimed: Claimed, tools: Tools) -> tuple[Definition, Story]:
    definition = await tools.versions.get(claimed.workflow_version_id)
    return definition, await load_story(claimed, definition)


class _Drive:
    """Takes the decisions of one claim of one execution."""

    def __init__(
        self,
        claimed: Claimed,
        lease: Lease,
        tools: Tools,
        definition: Definition,
        holder: Holder,
    ) -> None:
        self._claimed = claimed
        self._lease = lease
        self._definition = definition
        self._holder = holder
        self._attempts = Attempts(claimed, lease, tools)

    async def run(self, story: Story) -> None:
        """Take up where the execution stands, then go from step to step."""
        if await self._stop_untouched(story):
            return
        move, mark = await self._take_up(story)
        while isinstance(move.next, RunStep) and mark is not None:
            place = self._place(move.next.position)
            if self._holder.must_stop:
                await self._stop(place, mark)
                return
            try:
                earlier = story.earlier_calls if mark.number > 1 else ()
                result = await self._attempts.make(place, mark, move.progress, earlier)
            except asyncio.CancelledError:
                self._holder.absorb_cancellation()
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
            return move, await self._record_move(self._holder.entry(), move)
        place = self._place(claimed.position)
        if claimed.current_path is not None and self._happens_once(place):
            ended = _failed(reasons.UNKNOWN_OUTCOME)
            return await self._go_on(place, self._holder.claimed_mark, ended, story.progress)
        if story.waiting is not None and place.step.type in course.RESUMED:
            return await self._resume(place, story.waiting, story.progress)
        return await self._next_attempt(place, story)

    async def _next_attempt(self, place: Place, story: Story) -> Stand:
        """Begin the next attempt at a step: after a retry's wait, a handover or a lost worker."""
        claimed, entry = self._claimed, self._holder.entry()
        attempt = claimed.current_attempt + 1
        started_at = claimed.step_started_at or claimed.now
        if claimed.current_path is not None:
            entry.end_attempt(place, self._holder.claimed_mark, reasons.LOST)
            entry.begin_step(place, attempt, started_at)
        elif story.waiting is not None:
            entry.resume_step(place, attempt, started_at)
        else:
            entry.begin_step(place, attempt, started_at)
        recorded = await self._holder.record(entry)
        return Move(story.progress, (), RunStep(place.position)), _mark(entry, recorded)

    async def _resume(self, place: Place, waiting: StepExecution, progress: Progress) -> Stand:
        """End a step whose wait is over, with the answer that came, and go on."""
        answer = None
        if place.step.type is StepType.DECISION:
            answer = await self._holder.undisturbed(load_answer(self._claimed.id, place.path))
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
        # A wait may have lasted for months; what comes after it begins when it was over.
        then = from_ms(self._claimed.now) if before is StepStatus.WAITING else now
        kept, move = course.follow(self._definition, progress, place.position, ended, now, then)
        entry = self._holder.entry()
        entry.end_step(place, mark, kept, before)
        return move, await self._record_move(entry, move)

    async def _record_move(self, entry: Entry, move: Move) -> AttemptMark | None:
        """Record a decision. Return the mark of the step that began; None if none did."""
        for ending in move.endings:
            entry.skip_step(self._place(ending.position), ending.outcome)
        match move.next:
            case RunStep(position):
                return await self._begin(entry, self._place(position))
            case Finish(output):
                entry.position = len(self._definition.steps)
                self._finish(entry, output)
            case GiveUp(error):
                self._fail(entry, error)
        await self._holder.record(entry)
        return None

    async def _begin(self, before: Entry, place: Place) -> AttemptMark | None:
        """Begin a step, unless the execution is to stop before it; return None then."""
        before.position = place.position

        def as_asked() -> Entry:
            entry = before.copied()
            if self._lease.is_cancel_requested:
                entry.cancel()
            elif self._holder.must_stop:
                entry.hand_over()
            elif self._lease.is_pause_requested:
                entry.pause()
            else:
                entry.begin_step(place, 1, None)
            return entry

        entry, recorded = await self._holder.record_as_asked(as_asked)
        return _mark(entry, recorded) if entry.current_path is not None else None

    def _finish(self, entry: Entry, output: dict[str, Any]) -> None:
        """Complete the execution; fail it if its output is not what was declared, or too large."""
        try:
            check_output(self._definition, output)
            entry.complete(output)
        except (InvalidInput, LimitExceeded) as fault:
            self._fail(entry, course.output_fault(fault))

    def _fail(self, entry: Entry, error: reasons.Reason) -> None:
        entry.fail(error, opens_dead_letter=self._claimed.trigger_type != MANUAL)

    # Waiting and stopping

    async def _park(self, place: Place, mark: AttemptMark, waiting: Waiting) -> None:
        """Record that the step waits; the worker is free for others."""
        left = Left(waiting.input)
        until_ms = None if waiting.until is None else to_ms(waiting.until)
        wait = Wait(waiting.reason, until_ms=until_ms, input=waiting.input)
        entry = self._holder.entry()
        entry.park(place, mark, wait)
        await self._record_wait(entry, place, mark, left)

    async def _park_for_retry(self, place: Place, mark: AttemptMark, failure: StepFailed) -> bool:
        """Record a failed attempt and the wait before the next; return False if it was the last."""
        if not retry.may_retry(place.step, mark.number, failure):
            return False
        pause = retry.wait_before_next(
            place.step.retry, mark.number, ids.random_fraction(), failure.retry_after
        )
        ended, entry = failed(failure), self._holder.entry()
        entry.park_for_retry(place, mark, ended, pause)
        left = Left(ended.input, ended.model_calls, ended.usage)
        await self._record_wait(entry, place, mark, left)
        return True

    async def _record_wait(
        self, parked: Entry, place: Place, mark: AttemptMark, left: Left
    ) -> None:
        """Record a wait, which is a boundary too: what is asked for meanwhile goes first."""

        def as_asked() -> Entry:
            entry = parked.copied()
            if self._lease.is_cancel_requested:
                entry = self._holder.entry()
                entry.cancel_step(place, mark, left=left)
            elif self._lease.is_pause_requested:
                entry.pause()
            return entry

        await self._holder.record_as_asked(as_asked)

    async def _stop(self, place: Place, mark: AttemptMark, left: Left = NOTHING_LEFT) -> None:
        """Give up the step in hand: cancelled on request, or handed over to another worker."""
        self._holder.refuse_lost_lease()
        entry = self._holder.entry()
        if self._lease.is_cancel_requested:
            entry.cancel_step(place, mark, left=left)
        else:
            entry.hand_over_step(place, mark, reasons.STOPPED, left)
        await self._holder.record(entry)

    async def _interrupt(self, place: Place, mark: AttemptMark, progress: Progress) -> None:
        """Give up the step in hand in the middle of its work, which may have had its effect."""
        self._holder.refuse_lost_lease()
        left = self._attempts.cut_off()
        if self._happens_once(place):
            await self._holder.look()
        if self._happens_once(place) and not self._lease.is_cancel_requested:
            ended = left.ended(_failed(reasons.UNKNOWN_OUTCOME).outcome)
            await self._go_on(place, mark, ended, progress)
        else:
            await self._stop(place, mark, left)

    async def _stop_untouched(self, story: Story) -> bool:
        """End or hold, without running anything, what was asked to or is past its deadline."""
        claimed, entry = self._claimed, self._holder.entry()
        if self._lease.is_cancel_requested:
            self._cancel_untouched(entry, story)
        elif claimed.deadline_at is not None and claimed.deadline_at <= claimed.now:
            self._expire_untouched(entry, story)
        elif self._lease.is_pause_requested:
            return await self._pause_untouched(entry, story)
        else:
            return False
        await self._holder.record(entry)
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

    async def _pause_untouched(self, entry: Entry, story: Story) -> bool:
        """Hold the execution where it was claimed; False if it is to go on first."""
        entry.stay(self._claimed)
        if self._claimed.current_path is not None:
            place = self._place(self._claimed.position)
            if self._happens_once(place):
                return False
            entry.end_attempt(place, self._holder.claimed_mark, reasons.LOST)
        entry.pause()
        if await self._holder.try_record(entry):
            return True
        return await self._stop_untouched(story)  # something else is asked by now

    def _in_hand(self, story: Story) -> tuple[Place, AttemptMark, StepStatus] | None:
        """Return the step in which the execution was claimed; None if it was between two."""
        if self._claimed.current_attempt == 0:
            return None
        place = self._place(self._claimed.position)
        if story.waiting is not None:
            return place, _mark_of(story.waiting), StepStatus.WAITING
        return place, self._holder.claimed_mark, StepStatus.RUNNING

    def _happens_once(self, place: Place) -> bool:
        """Whether an attempt that was cut off must not be made again."""
        is_once = place.step.on_unknown_outcome is UnknownOutcomePolicy.FAIL
        return is_once and self._attempts.has_effects(place)

    def _place(self, position: int) -> Place:
        return Place(self._definition.steps[position], position)


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
