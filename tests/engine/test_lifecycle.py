"""Proves the laws of the two transition tables, over any sequence of moves."""

from __future__ import annotations

import re

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import sampled_from

from promptpilot.engine import lifecycle
from promptpilot.engine.lifecycle import (
    CLAIMABLE,
    FINAL,
    STEP_TRANSITIONS,
    TRANSITIONS,
    ExecutionMove,
    ExecutionStatus,
    StepMove,
    StepStatus,
    WaitReason,
)
from promptpilot.errors import InvalidStatus

STEP_FINAL = {StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED}
_ARROW = re.compile(r"    (\w+) --> (\w+): (.+)")


class ExecutionLife(RuleBasedStateMachine):
    """An execution to which anything may happen at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.status = ExecutionStatus.PENDING
        self.end: ExecutionStatus | None = None

    @rule(move=sampled_from(ExecutionMove))
    def try_move(self, move: ExecutionMove) -> None:
        """Follow a legal move; be refused with the status for any other."""
        if self.status in TRANSITIONS[move].sources:
            self.status = lifecycle.target_of(self.status, move)
            return
        with pytest.raises(InvalidStatus) as refusal:
            lifecycle.target_of(self.status, move)
        assert refusal.value.status == self.status

    @precondition(lambda self: self.status.is_final)
    @rule()
    def remember_end(self) -> None:
        """Note the end; from here on nothing may change."""
        self.end = self.end or self.status

    @invariant()
    def final_is_final(self) -> None:
        """No move leaves a final status."""
        assert self.end in {None, self.status}


TestExecutionLife = ExecutionLife.TestCase


class StepLife(RuleBasedStateMachine):
    """A step to which anything may happen at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.status = StepStatus.PENDING

    @rule(move=sampled_from(StepMove))
    def try_move(self, move: StepMove) -> None:
        """Follow a legal move; be refused otherwise, always once the step has ended."""
        if self.status in STEP_TRANSITIONS[move].sources:
            assert self.status not in STEP_FINAL
            self.status = lifecycle.step_target_of(self.status, move)
            return
        with pytest.raises(InvalidStatus) as refusal:
            lifecycle.step_target_of(self.status, move)
        assert refusal.value.status == self.status


TestStepLife = StepLife.TestCase


def test_every_execution_status_can_be_reached() -> None:
    reached = {ExecutionStatus.PENDING}

    for _ in ExecutionStatus:
        reached |= {each.target for each in TRANSITIONS.values() if each.sources & reached}

    assert reached == set(ExecutionStatus)


def test_every_step_status_can_be_reached() -> None:
    reached = {StepStatus.PENDING}

    for _ in StepStatus:
        reached |= {each.target for each in STEP_TRANSITIONS.values() if each.sources & reached}

    assert reached == set(StepStatus)


def test_every_unfinished_execution_can_be_cancelled() -> None:
    assert TRANSITIONS[ExecutionMove.CANCELLED].sources == set(ExecutionStatus) - FINAL


@pytest.mark.parametrize("move", ExecutionMove)
def test_no_move_leaves_a_final_status(move: ExecutionMove) -> None:
    assert not TRANSITIONS[move].sources & FINAL


@pytest.mark.parametrize("move", [ExecutionMove.COMPLETED, ExecutionMove.FAILED])
def test_only_who_holds_the_lease_ends_an_execution(move: ExecutionMove) -> None:
    assert TRANSITIONS[move].sources == {ExecutionStatus.RUNNING}


def test_every_table_has_a_row_for_every_move() -> None:
    assert set(TRANSITIONS) == set(ExecutionMove)
    assert set(STEP_TRANSITIONS) == set(StepMove)


def test_only_a_handover_is_hidden_from_users() -> None:
    shown = {
        reason: lifecycle.shown_status(ExecutionStatus.WAITING, reason)
        for reason in (*WaitReason, None)
    }

    assert shown.pop(WaitReason.HANDOVER) is ExecutionStatus.RUNNING
    assert set(shown.values()) == {ExecutionStatus.WAITING}


def test_the_diagram_draws_every_arrow_of_the_table_and_no_other() -> None:
    drawn = {_ARROW.fullmatch(line) for line in lifecycle.mermaid().splitlines()} - {None}

    expected = {
        (str(source), str(transition.target), str(move))
        for move, transition in TRANSITIONS.items()
        for source in transition.sources
    }
    assert {match.groups() for match in drawn if match} == expected


def test_the_diagram_begins_with_launching_and_ends_at_the_final_statuses() -> None:
    lines = lifecycle.mermaid().splitlines()

    assert lines[:2] == ["stateDiagram-v2", "    [*] --> PENDING: launched"]
    assert {line.split()[0] for line in lines if line.endswith("--> [*]")} == set(FINAL)


def test_what_may_be_claimed_is_neither_final_nor_held_by_a_person() -> None:
    assert set(ExecutionStatus) - FINAL - {ExecutionStatus.PAUSED} == CLAIMABLE
