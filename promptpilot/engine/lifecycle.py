"""The life of an execution and of its steps.

Rules
    1. Every status, and every way from one status to another, is in this file, in two tables.
    2. This file reads no clock, no database and no setting.
    3. Only the ledger writes a status, and what it writes is one of these moves.

`mermaid()` draws the diagram of the docs from the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from promptpilot.errors import InvalidStatus


class ExecutionStatus(StrEnum):
    """Where an execution is in its life."""

    PENDING = "PENDING"  #: accepted and stored; it may be claimed when it is due
    RUNNING = "RUNNING"  #: one worker holds its lease
    WAITING = "WAITING"  #: suspended without a worker; `WaitReason` says what for
    PAUSED = "PAUSED"  #: held by a person; only a person lets it go on
    COMPLETED = "COMPLETED"  #: every step ended well; final
    FAILED = "FAILED"  #: gave up; the error says why; final
    CANCELLED = "CANCELLED"  #: stopped on request; final

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to the execution any more."""
        return self in FINAL


class WaitReason(StrEnum):
    """What a WAITING execution waits for."""

    DELAY = "DELAY"  #: a DELAY step, or a start in the future
    DECISION = "DECISION"  #: a person's choice
    RETRY = "RETRY"  #: the next attempt at a failed step
    HANDOVER = "HANDOVER"  #: another worker, because its own one stopped; shown as RUNNING


class StepStatus(StrEnum):
    """Where a step execution is in its life."""

    PENDING = "PENDING"  #: not reached yet; has no row
    RUNNING = "RUNNING"  #: being run; recorded on the execution's row
    WAITING = "WAITING"  #: a delay, a retry or a decision is pending
    COMPLETED = "COMPLETED"  #: its output is committed and never computed again; final
    FAILED = "FAILED"  #: failed for good; final
    SKIPPED = "SKIPPED"  #: left out by a guard or a branch; final
    CANCELLED = "CANCELLED"  #: stopped on request; final


class ExecutionMove(StrEnum):
    """Something that changes an execution's status."""

    CLAIMED = "claimed"
    PARKED = "parked"
    HANDED_OVER = "handed over"
    PAUSED = "paused"
    RESUMED = "resumed"
    PUT_BACK = "put back"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepMove(StrEnum):
    """Something that changes a step execution's status."""

    STARTED = "started"
    TAKEN_OVER = "taken over"
    PARKED = "parked"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Transition:
    """A move is legal in any of `sources` and leads to `target`."""

    sources: frozenset[ExecutionStatus]
    target: ExecutionStatus


@dataclass(frozen=True, slots=True)
class StepTransition:
    """A step's move is legal in any of `sources` and leads to `target`."""

    sources: frozenset[StepStatus]
    target: StepStatus


_S = ExecutionStatus
_T = StepStatus

FINAL = frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED})

#: Statuses in which `ready_at` says when the execution may be claimed.
CLAIMABLE = frozenset({_S.PENDING, _S.RUNNING, _S.WAITING})

TRANSITIONS: Mapping[ExecutionMove, Transition] = {
    # RUNNING is a source because a lease that ran out may be claimed by anybody.
    ExecutionMove.CLAIMED: Transition(CLAIMABLE, _S.RUNNING),
    ExecutionMove.PARKED: Transition(frozenset({_S.RUNNING}), _S.WAITING),
    ExecutionMove.HANDED_OVER: Transition(frozenset({_S.RUNNING}), _S.WAITING),
    ExecutionMove.PAUSED: Transition(CLAIMABLE, _S.PAUSED),
    ExecutionMove.RESUMED: Transition(frozenset({_S.PAUSED}), _S.PENDING),
    # It was paused in the middle of a wait, which goes on.
    ExecutionMove.PUT_BACK: Transition(frozenset({_S.PAUSED}), _S.WAITING),
    ExecutionMove.COMPLETED: Transition(frozenset({_S.RUNNING}), _S.COMPLETED),
    ExecutionMove.FAILED: Transition(frozenset({_S.RUNNING}), _S.FAILED),
    ExecutionMove.CANCELLED: Transition(CLAIMABLE | {_S.PAUSED}, _S.CANCELLED),
}

STEP_TRANSITIONS: Mapping[StepMove, StepTransition] = {
    StepMove.STARTED: StepTransition(frozenset({_T.PENDING, _T.WAITING}), _T.RUNNING),
    # A repeat does not run what its original has completed.
    StepMove.TAKEN_OVER: StepTransition(frozenset({_T.PENDING}), _T.COMPLETED),
    StepMove.PARKED: StepTransition(frozenset({_T.RUNNING}), _T.WAITING),
    # WAITING: a delay that is over and a decision that was made need no work any more.
    StepMove.COMPLETED: StepTransition(frozenset({_T.RUNNING, _T.WAITING}), _T.COMPLETED),
    # PENDING: its guard or its inputs could not be evaluated, so it never started.
    StepMove.FAILED: StepTransition(frozenset({_T.PENDING, _T.RUNNING, _T.WAITING}), _T.FAILED),
    StepMove.SKIPPED: StepTransition(frozenset({_T.PENDING}), _T.SKIPPED),
    StepMove.CANCELLED: StepTransition(frozenset({_T.RUNNING, _T.WAITING}), _T.CANCELLED),
}


def target_of(status: ExecutionStatus, move: ExecutionMove) -> ExecutionStatus:
    """Return the status that `move` leads to. Raises `InvalidStatus` if it is not legal now."""
    transition = TRANSITIONS[move]
    if status not in transition.sources:
        raise InvalidStatus(f"An execution that is {status} cannot be {move}.", status)
    return transition.target


def step_target_of(status: StepStatus, move: StepMove) -> StepStatus:
    """Return the status that `move` leads to. Raises `InvalidStatus` if it is not legal now."""
    transition = STEP_TRANSITIONS[move]
    if status not in transition.sources:
        raise InvalidStatus(f"A step that is {status} cannot be {move}.", status)
    return transition.target


def shown_status(status: ExecutionStatus, reason: WaitReason | None) -> ExecutionStatus:
    """Return the status users see: a handover between workers is still RUNNING to them."""
    return ExecutionStatus.RUNNING if reason is WaitReason.HANDOVER else status


def mermaid() -> str:
    """Return the lifecycle of an execution as a Mermaid state diagram, drawn from the table."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.PENDING}: launched"]
    for move, transition in TRANSITIONS.items():
        sources = [status for status in _S if status in transition.sources]
        lines += [f"    {source} --> {transition.target}: {move}" for source in sources]
    lines += [f"    {status} --> [*]" for status in _S if status in FINAL]
    return "\n".join(lines)
