"""What must hold of waits, decisions and requests, whatever was killed.

Each check yields one sentence for each violation; `invariants.violations` makes them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.decision import Origin
from promptpilot.instants import read_instant
from promptpilot.models import StepExecution
from tests.crash.histories import History
from tests.crash.plans import DECISION_SECONDS, ONCE

_DECISION_TIME = timedelta(seconds=DECISION_SECONDS)


def _left_waiting(history: History) -> Iterator[str]:
    """Check that nothing is left of a wait, and that a step says one thing about its end."""
    for step in history.steps:
        if step.status == StepStatus.WAITING or step.wake_at or not step.finished_at:
            yield f"has left step {step.path} {step.status} until {step.wake_at}"
    if history.row.wait_reason or history.row.paused_wait_reason:
        yield f"waits for {history.row.wait_reason} though it ended"


def _delays(history: History) -> Iterator[str]:
    """Check that no DELAY step ended before its instant."""
    for step in _completed(history, StepType.DELAY):
        if step.finished_at and step.finished_at < read_instant(step.output["until"]):
            yield f"ended step {step.path} at {step.finished_at}, before {step.output['until']}"


def _retries(history: History) -> Iterator[str]:
    """Check that no attempt began before the instant that was stored for it."""
    starts = {(a.path, a.number): a.started_at for a in history.attempts}
    starts |= {
        (s.path, s.attempt): s.attempt_started_at for s in history.steps if s.attempt_started_at
    }
    for attempt in history.attempts:
        began_at = starts.get((attempt.path, attempt.number + 1))
        if began_at is None and history.row.status == ExecutionStatus.COMPLETED:
            yield f"made no attempt at step {attempt.path} after {attempt.number}"
        if began_at and attempt.next_attempt_at and began_at < attempt.next_attempt_at:
            yield f"tried step {attempt.path} at {began_at}, before {attempt.next_attempt_at}"


def _decisions(history: History) -> Iterator[str]:
    """Check that an answer is what its step went on with, and that no time was cut short."""
    answers = {each.path: each.choice for each in history.decisions}
    if len(answers) != len(history.decisions):
        yield f"was decided more than once: {answers}"
    for step in _completed(history, StepType.DECISION):
        how, chosen = step.output["how"], step.output["choice"]
        if how == Origin.PERSON and answers.get(step.path) != chosen:
            yield f"went on with {chosen} at step {step.path}, where {answers} were chosen"
        if how == Origin.TIMEOUT and step.path in answers:
            yield f"forgot what was chosen at step {step.path}: {answers}"
        if how == Origin.TIMEOUT and _is_cut_short(step):
            yield f"did not wait long enough for a decision at step {step.path}"


def _happens_once(history: History) -> Iterator[str]:
    """Check that what must happen at most once did."""
    for step in history.steps:
        effects = history.effects_at(step.path)
        if step.step_name == ONCE and len(effects) > 1:
            yield f"did what must happen once again: {effects}"


def _completed(history: History, type: StepType) -> list[StepExecution]:
    steps = [step for step in history.steps if step.step_type == type]
    return [step for step in steps if step.status == StepStatus.COMPLETED]


def _is_cut_short(step: StepExecution) -> bool:
    if step.finished_at is None or step.attempt_started_at is None:
        return True
    return step.finished_at < step.attempt_started_at + _DECISION_TIME


WAIT_CHECKS = (_left_waiting, _delays, _retries, _decisions, _happens_once)
