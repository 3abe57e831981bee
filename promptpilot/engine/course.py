"""What the end of a step leads to: the plan's move, and what is kept of the step.

Executions, which are stored, and previews, which are not, take their course from here.
"""

from __future__ import annotations

from datetime import datetime

from promptpilot.engine import plan, reasons
from promptpilot.engine.definition import Definition
from promptpilot.engine.ledger_rows import Ended
from promptpilot.engine.plan import GiveUp, Move
from promptpilot.engine.scope import Outcome, Progress
from promptpilot.engine.step_configs import StepType
from promptpilot.errors import InvalidInput, LimitExceeded

#: Types of steps whose waits end them; after any other wait comes the next attempt.
RESUMED = frozenset({StepType.DELAY, StepType.DECISION})


def follow(
    definition: Definition,
    progress: Progress,
    position: int,
    ended: Ended,
    now: datetime,
    then: datetime,
) -> tuple[Ended, Move]:
    """Return what is kept of a step that ended, and what is next.

    `now` is `now()` for the step's outputs, `then` for the guards after it. A step whose `outputs`
    cannot be computed has failed; one that reached the deadline fails its execution with it.
    """
    outcome, move = plan.move_after(definition, progress, position, ended.outcome, now, then)
    if _is_past_deadline(outcome):
        move = Move(move.progress, (), GiveUp(reasons.PAST_DEADLINE))
    text = ended.output_text if outcome is ended.outcome else None
    return Ended(outcome, ended.input, ended.model_calls, ended.usage, text), move


def output_fault(fault: InvalidInput | LimitExceeded) -> reasons.Reason:
    """Return why an execution fails whose output is not what was declared, or too large."""
    is_large = isinstance(fault, LimitExceeded)
    code = reasons.OUTPUT_TOO_LARGE if is_large else reasons.OUTPUT_INVALID
    return reasons.reason(code, fault.message)


def _is_past_deadline(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error["code"] == reasons.EXECUTION_TIMEOUT
