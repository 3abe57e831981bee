"""What must hold whatever was killed, read from the rows and from what the steps did.

Each check yields one sentence for each violation; `violations` gathers them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from promptpilot import ids
from promptpilot.clock import to_ms
from promptpilot.engine import events, lifecycle
from promptpilot.engine.events import EventKind
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.engine.step_configs import StepType
from tests.crash.histories import ROUNDING_MS, History, read_histories
from tests.crash.wait_invariants import WAIT_CHECKS
from tests.support.effects import Effect

#: Types of steps that do something to the world.
_ACTING = {StepType.PROMPT, StepType.WEBHOOK}

#: Types of steps that do something to the world.
_ACTING = {StepType.PROMPT, StepType.WEBHOOK}

_MOVES = {(s, t.target) for t in lifecycle.TRANSITIONS.values() for s in t.sources}
_STEP_MOVES = {(s, t.target) for t in lifecycle.STEP_TRANSITIONS.values() for s in t.sources}


async def violations(effects: Sequence[Effect], expected: Iterable[str] = ()) -> list[str]:
    """Return every breach of an invariant; `expected` are executions that were acknowledged."""
    histories = await read_histories(effects)
    known = [*expected, *(effect.execution_id for effect in effects)]
    found = [f"{each} is not there" for each in sorted(set(known) - set(histories))]
    for execution_id, history in histories.items():
        found += [f"{execution_id}: {fault}" for check in _CHECKS for fault in check(history)]
    return found


def _ended(history: History) -> Iterator[str]:
    """Check that it has ended and has let go of everything."""
    row = history.row
    if not ExecutionStatus(row.status).is_final:
        yield f"is {row.status} and has not ended"
    if row.owner or row.current_path or row.ready_at:
        yield f"ended and is still held by {row.owner} at {row.current_path}"


def _steps(history: History) -> Iterator[str]:
    """Check that a completed execution has ended each step once, in order."""
    ended = [step.path for step in history.steps if step.finished_at]
    if history.row.status == ExecutionStatus.COMPLETED and ended != _paths(history.row.position):
        yield f"ended the steps {ended}"
    done = [step.path for step in history.steps if step.status == StepStatus.COMPLETED]
    completions = [e.path for e in history.events if e.path and e.to_status == StepStatus.COMPLETED]
    if completions != done:
        yield f"tells of {completions} and has stored {done}"
    finishes = [step.finished_at for step in history.steps if step.finished_at]
    if finishes != sorted(finishes):
        yield f"finished its steps at {finishes}"


def _attempts(history: History) -> Iterator[str]:
    """Check that attempts are counted from 1 without a gap, under growing fences."""
    by_path: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for attempt in history.attempts:
        by_path[attempt.path].append((attempt.number, attempt.fence))
    told = {(attempt.path, attempt.number) for attempt in history.attempts}
    for step in history.steps:
        was_between_two = step.status == StepStatus.CANCELLED and (step.path, step.attempt) in told
        if step.status != StepStatus.SKIPPED and not was_between_two:
            by_path[step.path].append((step.attempt, step.fence))
    for path, made in by_path.items():
        if [number for number, _ in made] != list(range(1, len(made) + 1)):
            yield f"counts the attempts {made} of step {path}"
        if [fence for _, fence in made] != sorted(fence for _, fence in made):
            yield f"lets an old holder write: attempts {made} of step {path}"
        if made[-1][1] > history.row.fence:
            yield f"has a write from the future at step {path}"


def _numbers(history: History) -> Iterator[str]:
    """Check that events count 1..n without a gap, in the order of time, to the final one."""
    numbers = [event.seq for event in history.events]
    if numbers != list(range(1, history.row.last_seq + 1)):
        yield f"numbers its {history.row.last_seq} events {numbers}"
    instants = [event.at for event in history.events]
    if instants != sorted(instants):
        yield "has events whose times go back"
    lasts = [e.seq for e in history.events if events.is_last(e.kind, e.to_status)]
    if ExecutionStatus(history.row.status).is_final and lasts != numbers[-1:]:
        yield f"ends with the events {lasts}, and its newest is {numbers[-1:]}"


def _statuses(history: History) -> Iterator[str]:
    """Check that each change begins where the one before ended, and is a legal move."""
    moves = [e for e in history.events if e.kind == EventKind.EXECUTION_STATUS]
    before: str | None = None
    for event in moves:
        if event.from_status != before:
            yield f"event {event.seq} begins at {event.from_status}, not at {before}"
        if before is not None and (before, event.to_status) not in _MOVES:
            yield f"event {event.seq} goes from {before} to {event.to_status}"
        before = event.to_status
    if before != history.row.status:
        yield f"is {history.row.status} and its events end at {before}"


def _step_statuses(history: History) -> Iterator[str]:
    """Check the same for the steps, which all begin as PENDING."""
    at: dict[str | None, str | None] = defaultdict(lambda: StepStatus.PENDING)
    for event in history.events:
        if event.kind != EventKind.STEP_STATUS:
            continue
        if event.from_status != at[event.path]:
            yield f"event {event.seq} begins at {event.from_status}, not at {at[event.path]}"
        if (event.from_status, event.to_status) not in _STEP_MOVES:
            yield f"event {event.seq} goes from {event.from_status} to {event.to_status}"
        at[event.path] = event.to_status
    for step in history.steps:
        if at[step.path] != step.status:
            yield f"step {step.path} is {step.status} and its events end at {at[step.path]}"


def _left_open(history: History) -> Iterator[str]:
    """Check that a step of which an event tells has a row, or was cancelled between attempts."""
    told = {event.path: event.to_status for event in history.events if event.to_status}
    for path in set(told) - {None} - {step.path for step in history.steps}:
        if told[path] != StepStatus.CANCELLED:
            yield f"step {path} has no row and its events end at {told[path]}"


def _effects(history: History) -> Iterator[str]:
    """Check that each attempt has one effect at most, a completed one has it, under one key."""
    made: set[tuple[str, int]] = set()
    for effect in history.effects:
        if effect.key != ids.idempotency_key(effect.execution_id, effect.path):
            yield f"had an effect under another key: {effect}"
        if (effect.path, effect.attempt) in made:
            yield f"had an effect twice in one attempt: {effect}"
        made.add((effect.path, effect.attempt))
    acting = [step for step in history.steps if step.step_type in _ACTING]
    for step in acting:
        if step.status == StepStatus.COMPLETED and (step.path, step.attempt) not in made:
            yield f"completed step {step.path} without an effect"


def _lateness(history: History) -> Iterator[str]:
    """Check that no effect is later than the commit of its step or the end of its attempt."""
    ends = {(step.path, step.attempt): step.finished_at for step in history.steps}
    ends |= {(each.path, each.number): each.finished_at for each in history.attempts}
    commits = {step.path: step.finished_at for step in history.steps}
    for effect in history.effects:
        for ended_at in (commits.get(effect.path), ends.get((effect.path, effect.attempt))):
            if ended_at is not None and effect.at > to_ms(ended_at) + ROUNDING_MS:
                yield f"had an effect after {ended_at}: {effect}"


def _paths(count: int) -> list[str]:
    return [str(number) for number in range(count)]


_CHECKS = (
    _ended,
    _steps,
    _attempts,
    _numbers,
    _statuses,
    _step_statuses,
    _left_open,
    _effects,
    _lateness,
    *WAIT_CHECKS,
)
