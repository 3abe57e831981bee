"""Drives a workflow in memory: the decisions and the work of an execution, and no record.

Rules: what is next is decided by the same plan, and what a step does is done by the same attempts,
as in an execution. Nothing is parked: a wait ends at once, a person's choice is taken for granted,
and what is pinned is not run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from promptpilot import ids
from promptpilot.clock import Clock, from_ms, to_ms
from promptpilot.engine import course, plan, reasons, retry
from promptpilot.engine.attempt import Attempts, failed
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.inputs import check_output
from promptpilot.engine.lease import monotonic
from promptpilot.engine.ledger_rows import AttemptMark, Ended, Place, Usage, output_text
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus, WaitReason
from promptpilot.engine.plan import Finish, GiveUp, Move, RunStep
from promptpilot.engine.previews import INLINE_BYTES, PREVIEW_BYTES, cut
from promptpilot.engine.reasons import Reason
from promptpilot.engine.scope import Outcome, Progress
from promptpilot.engine.step_configs import DecisionConfig, StepType
from promptpilot.engine.steps.base import Answer, Waiting
from promptpilot.errors import InvalidInput, LimitExceeded, StepFailed

#: Rests for so many seconds between two attempts.
Rest = Callable[[float], Awaitable[None]]

PREVIEW_TIMEOUT = "PREVIEW_TIMEOUT"
_LARGE = "The output is large: only its beginning is shown."


@dataclass(frozen=True, slots=True)
class TriedStep:
    """One step of a preview, as it ended; one that was not reached is PENDING."""

    name: str
    type: StepType
    status: StepStatus
    input: Any = None
    output: Any = None
    error: Reason | None = None
    model_calls: tuple[dict[str, Any], ...] = ()
    usage: Usage = field(default_factory=Usage)
    attempts: int = 0
    duration_ms: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of a rehearsal. Without an end of its own the output is None."""

    status: ExecutionStatus
    steps: tuple[TriedStep, ...]
    output: dict[str, Any] | None = None
    error: Reason | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Hand:
    """The step in hand: what was seen of it so far."""

    place: Place
    began: float = field(default_factory=monotonic)
    attempts: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, ended: Ended) -> None:
        """Take in what an attempt has called and used."""
        self.calls += ended.model_calls
        self.usages.append(ended.usage)

    def ended(self, outcome: Outcome, shown: Any = None) -> TriedStep:
        """Return the step as it ended; what is large is cut."""
        step, output = self.place.step, _inline(outcome.output)
        if output is not outcome.output:
            self.warnings.append(_LARGE)
        return TriedStep(
            step.name,
            step.type,
            outcome.status,
            _inline(shown),
            output,
            outcome.error,
            tuple(self.calls),
            total(self.usages),
            self.attempts,
            round((monotonic() - self.began) * 1000),
            tuple(self.warnings),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of a workflow is rehearsed, and for how long at most.

    It ends before the first step behind `last`; `pins` are outputs by the names of their steps.
    """

    last: int
    limit: timedelta
    pins: Mapping[str, Any]


class Rehearsal:
    """One rehearsal of one definition."""

    def __init__(
        self, definition: Definition, attempts: Attempts, part: Part, clock: Clock, rest: Rest
    ) -> None:
        self._definition = definition
        self._attempts = attempts
        self._part = part
        self._clock = clock
        self._rest = rest
        self._tried: dict[int, TriedStep] = {}
        self._hand: _Hand | None = None

    async def run(self, progress: Progress) -> Rehearsed:
        """Run the part from its beginning. A cancelled call stops the step in hand at once."""
        limit = asyncio.timeout(self._part.limit.total_seconds())
        try:
            async with limit:
                move = await self._go(progress)
        except TimeoutError:
            if not limit.expired():
                raise
            return self._out_of_time()
        return self._ending(move)

    async def _go(self, progress: Progress) -> Move:
        move = plan.first_move(self._definition, progress, 0, self._now())
        self._pass_by(move)
        while isinstance(move.next, RunStep) and move.next.position <= self._part.last:
            move = await self._step(move.next.position, move.progress)
            self._pass_by(move)
            await asyncio.sleep(0)  # pure steps would leave nobody else a turn
        return move

    async def _step(self, position: int, progress: Progress) -> Move:
        """Run a step, or take its pinned output, and decide what is next."""
        hand = self._hand = _Hand(Place(self._definition.steps[position], position))
        ended, now = await self._end(hand, progress)
        kept, move = course.follow(self._definition, progress, position, ended, now, self._now())
        self._tried[position] = hand.ended(kept.outcome, kept.input)
        self._hand = None
        return move

    async def _end(self, hand: _Hand, progress: Progress) -> tuple[Ended, datetime]:
        """Return how a step ends, and when the attempt began that ended it."""
        name = hand.place.step.name
        if name in self._part.pins:
            hand.warnings.append("Pinned: the step was not run, its output is the one given.")
            pinned = Outcome(StepStatus.COMPLETED, output=self._part.pins[name])
            return Ended(pinned), self._now()
        if hand.place.step.type is StepType.WEBHOOK:
            hand.warnings.append(
                "Skipped in previews: no request was sent, the answer is a stand-in."
            )
        return await self._try(hand, progress)

    async def _try(self, hand: _Hand, progress: Progress) -> tuple[Ended, datetime]:
        """Make attempts until one ends the step."""
        began = to_ms(self._clock.now())
        while True:
            hand.attempts += 1
            mark = AttemptMark(hand.attempts, to_ms(self._clock.now()), began)
            try:
                result = await self._attempts.make(hand.place, mark, progress, tuple(hand.calls))
                ended = self._waited(hand, mark, progress, result)
            except StepFailed as failure:
                ended = failed(failure)
                hand.note(ended)
                if not retry.may_retry(hand.place.step, mark.number, failure):
                    return ended, from_ms(mark.started_at)
                await self._rest(_pause(hand.place.step, mark.number, failure))
                continue
            hand.note(ended)
            return ended, from_ms(mark.started_at)

    def _waited(
        self, hand: _Hand, mark: AttemptMark, progress: Progress, result: Ended | Waiting
    ) -> Ended:
        """Return how the step ends if it does not wait any longer."""
        if isinstance(result, Ended):
            return result
        answer = None
        if result.reason is WaitReason.DECISION:
            answer = self._decided(hand)
        else:
            hand.warnings.append("Skipped in previews: the delay ended at once.")
        try:
            return self._attempts.resume(hand.place, mark, progress, answer)
        except StepFailed as failure:
            return failed(failure)

    def _decided(self, hand: _Hand) -> Answer | None:
        """Return a person's choice: the first one; None where there is a default."""
        config = hand.place.step.config
        assert isinstance(config, DecisionConfig)  # noqa: S101 -- no other step waits for one
        chosen = config.default_choice or config.choices[0].name
        which = "first" if config.default_choice is None else "default"
        hand.warnings.append(
            f"Skipped in previews: nobody was asked, the {which} choice {chosen!r} was taken."
        )
        if config.default_choice is not None:
            return None
        return Answer(chosen, None, None, self._now())

    def _pass_by(self, move: Move) -> None:
        """Note the steps that ended without having run."""
        for each in move.endings:
            hand = _Hand(Place(self._definition.steps[each.position], each.position))
            self._tried[each.position] = hand.ended(each.outcome)

    # How it ends

    def _ending(self, move: Move) -> Rehearsed:
        match move.next:
            case Finish(output):
                return self._finished(output)
            case GiveUp(error):
                return self._result(ExecutionStatus.FAILED, error=error)
            case RunStep():
                return self._stopped()

    def _finished(self, output: dict[str, Any]) -> Rehearsed:
        """Complete the preview; fail it where an execution would refuse its output."""
        try:
            check_output(self._definition, output)
            output_text(output)
        except (InvalidInput, LimitExceeded) as fault:
            return self._result(ExecutionStatus.FAILED, error=course.output_fault(fault))
        shown = _inline(output)
        warnings = () if shown is output else (_LARGE,)
        return self._result(ExecutionStatus.COMPLETED, shown, warnings=warnings)

    def _stopped(self) -> Rehearsed:
        name = self._definition.steps[self._part.last].name
        warning = f"Stopped after step {name!r}; what comes after it was not tried."
        return self._result(ExecutionStatus.COMPLETED, warnings=(warning,))

    def _out_of_time(self) -> Rehearsed:
        seconds = self._part.limit.total_seconds()
        error = reasons.reason(
            PREVIEW_TIMEOUT, f"The preview did not end within {seconds:g} seconds."
        )
        if self._hand is not None:
            ended = self._hand.ended(Outcome(StepStatus.FAILED, error=error))
            self._tried[self._hand.place.position] = ended
        return self._result(ExecutionStatus.FAILED, error=error)

    def _result(
        self,
        status: ExecutionStatus,
        output: dict[str, Any] | None = None,
        error: Reason | None = None,
        warnings: tuple[str, ...] = (),
    ) -> Rehearsed:
        steps = tuple(
            self._tried.get(position) or TriedStep(step.name, step.type, StepStatus.PENDING)
            for position, step in enumerate(self._definition.steps)
        )
        return Rehearsed(status, steps, output, error, warnings)

    def _now(self) -> datetime:
        return from_ms(to_ms(self._clock.now()))


def total(usages: list[Usage]) -> Usage:
    """Return several usages as one; its cost is unknown if one of them is."""
    costs = [usage.cost_micros for usage in usages]
    return Usage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
        None if None in costs else sum(cost or 0 for cost in costs),
    )


def _inline(value: Any) -> Any:
    """Return the value itself, or the beginning of one that is large."""
    return value if cut(value, INLINE_BYTES) is value else cut(value, PREVIEW_BYTES)


def _pause(step: Step, attempt: int, failure: StepFailed) -> float:
    asked = failure.retry_after
    pause = retry.wait_before_next(step.retry, attempt, ids.random_fraction(), asked)
    return pause.total_seconds()
