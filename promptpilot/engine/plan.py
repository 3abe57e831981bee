"""What is next: pure decisions over a definition and how far an execution has come.

Invariants, proved by tests: a plan never goes back, runs no step twice, and ends every step that
it passes exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from promptpilot.engine import reasons
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.expression import evaluate_boolean, parse
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.reasons import Reason
from promptpilot.engine.scope import Outcome, Progress, SkipReason, result_of
from promptpilot.engine.step_configs import ConditionConfig, DecisionConfig
from promptpilot.errors import InvariantBroken, StepFailed


@dataclass(frozen=True, slots=True)
class Ending:
    """A step that ended without having run: left out, or its guard could not be evaluated."""

    position: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RunStep:
    """The step at `position` is to be run."""

    position: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Every step has ended; the execution is complete with `output`."""

    output: dict[str, object]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A step failed for good and the execution with it."""

    error: Reason


@dataclass(frozen=True, slots=True)
class Move:
    """What is next, the steps that ended on the way there, and the progress with them."""

    progress: Progress
    endings: tuple[Ending, ...]
    next: RunStep | Finish | GiveUp


def first_move(definition: Definition, progress: Progress, position: int, now: datetime) -> Move:
    """Decide what is next when every step before `position` has ended. `now` is `now()`."""
    return _go_on(definition, progress, position, now, ())


def move_after(
    definition: Definition,
    progress: Progress,
    position: int,
    outcome: Outcome,
    now: datetime,
    then: datetime | None = None,
) -> tuple[Outcome, Move]:
    """Decide what is next when the step at `position` ended with `outcome`.

    `now` is `now()` for the step's outputs, `then` for the guards after it; None means the same.
    Returns the outcome as it is to be recorded as well: a step whose `outputs` cannot be computed
    has failed, whatever its executor said. Raises `InvariantBroken` for a branch that is none.
    """
    step = definition.steps[position]
    try:
        progress = progress.with_outcome(step, outcome, now)
    except StepFailed as failure:
        outcome = Outcome(StepStatus.FAILED, error=reasons.reason_of(failure))
        progress = progress.with_outcome(step, outcome, now)
    if outcome.status is StepStatus.FAILED and not step.continue_on_error:
        return outcome, Move(progress, (), _give_up(step, outcome))
    target = target_after(definition, position, outcome)
    endings: list[Ending] = []
    for passed in range(position + 1, target):
        left_out = Outcome(StepStatus.SKIPPED, skip_reason=SkipReason.BRANCH)
        progress = progress.with_outcome(definition.steps[passed], left_out, now)
        endings.append(Ending(passed, left_out))
    return outcome, _go_on(definition, progress, target, then or now, tuple(endings))


def target_after(definition: Definition, position: int, outcome: Outcome) -> int:
    """Return where the flow goes on after the step at `position`, over steps left out.

    Raises `InvariantBroken` for a branch that is none.
    """
    if outcome.status is not StepStatus.COMPLETED:
        return position + 1
    step = definition.steps[position]
    match step.config:
        case ConditionConfig() as config:
            is_true = outcome.output["branch"] == "then"
            return definition.target_of(config.then_step if is_true else config.else_step, position)
        case DecisionConfig() as config:
            return definition.target_of(_chosen(step, config, outcome), position)
        case _:
            return position + 1


def _go_on(
    definition: Definition,
    progress: Progress,
    position: int,
    now: datetime,
    endings: tuple[Ending, ...],
) -> Move:
    while position < len(definition.steps):
        step = definition.steps[position]
        outcome = _guard(step, progress, now)
        if outcome is None:
            return Move(progress, endings, RunStep(position))
        progress = progress.with_outcome(step, outcome, now)
        endings = (*endings, Ending(position, outcome))
        if outcome.status is StepStatus.FAILED and not step.continue_on_error:
            return Move(progress, endings, _give_up(step, outcome))
        position += 1
    return Move(progress, endings, Finish(result_of(definition, progress)))


def _guard(step: Step, progress: Progress, now: datetime) -> Outcome | None:
    """Return how the step ends without running; None when it is to be run."""
    if step.run_if is None:
        return None
    try:
        is_open = evaluate_boolean(parse(step.run_if), progress.scope(), now)
    except StepFailed as failure:
        return Outcome(StepStatus.FAILED, error=reasons.reason_of(failure))
    return None if is_open else Outcome(StepStatus.SKIPPED, skip_reason=SkipReason.GUARD)


def _chosen(step: Step, config: DecisionConfig, outcome: Outcome) -> str | None:
    choice = config.choice(outcome.output["choice"])
    if choice is None:
        raise InvariantBroken(f"The decision {step.name!r} has no choice like the one recorded.")
    return choice.next_step


def _give_up(step: Step, outcome: Outcome) -> GiveUp:
    assert outcome.error is not None  # noqa: S101 -- a FAILED outcome always says why
    return GiveUp(reasons.of_step(step.name, outcome.error))
