"""Proves what a plan promises, over generated definitions and ways through them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from promptpilot.engine import plan
from promptpilot.engine.definition import END, Definition, Step, Variable, VariableKind
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.plan import Finish, GiveUp, Move, RunStep
from promptpilot.engine.scope import Outcome, Progress, SkipReason
from promptpilot.engine.step_configs import (
    Choice,
    ConditionConfig,
    DecisionConfig,
    DecisionMode,
    TransformConfig,
)
from promptpilot.errors import InvariantBroken
from tests.support.definitions import Way, definitions, outcome_of, ways

NOW = datetime(2026, 9, 1, tzinfo=UTC)
RAN = Outcome(StepStatus.COMPLETED, output={"v": 1})


@dataclass
class Walk:
    """A whole way: every decision, and every step that ended, in order."""

    moves: list[Move] = field(default_factory=list)
    ended: list[tuple[int, Outcome]] = field(default_factory=list)
    run: list[int] = field(default_factory=list)

    def note(self, move: Move) -> None:
        """Take in a decision."""
        self.moves.append(move)
        self.ended += [(each.position, each.outcome) for each in move.endings]


def walk(definition: Definition, way: Way) -> Walk:
    """Go through the whole definition."""
    walked = Walk()
    move = plan.first_move(definition, Progress(way), 0, NOW)
    walked.note(move)
    while isinstance(move.next, RunStep):
        position = move.next.position
        walked.run.append(position)
        outcome = outcome_of(definition.steps[position], way)
        outcome, move = plan.move_after(definition, move.progress, position, outcome, NOW)
        walked.ended.append((position, outcome))
        walked.note(move)
    return walked


@given(definitions(), ways())
def test_a_plan_goes_forward_and_runs_no_step_twice(definition: Definition, way: Way) -> None:
    run = walk(definition, way).run

    assert run == sorted(set(run))


@given(definitions(), ways())
def test_every_step_that_is_passed_ends_exactly_once(definition: Definition, way: Way) -> None:
    walked = walk(definition, way)

    positions = [position for position, _ in walked.ended]
    assert positions == list(range(len(positions)))
    if isinstance(walked.moves[-1].next, Finish):
        assert len(positions) == len(definition.steps)


@given(definitions(), ways())
def test_a_plan_gives_up_only_for_a_failure_that_ends_the_execution(
    definition: Definition, way: Way
) -> None:
    walked = walk(definition, way)

    fatal = [
        position
        for position, outcome in walked.ended
        if outcome.status is StepStatus.FAILED and not definition.steps[position].continue_on_error
    ]
    is_given_up = isinstance(walked.moves[-1].next, GiveUp)
    assert fatal == ([walked.ended[-1][0]] if is_given_up else [])


@given(definitions(), ways())
def test_a_replay_from_any_recorded_prefix_decides_the_same(
    definition: Definition, way: Way
) -> None:
    walked = walk(definition, way)

    progress = Progress(json.loads(json.dumps(way)))
    ended = iter(walked.ended)
    for move in walked.moves:
        if isinstance(move.next, RunStep):
            while len(progress.results) < move.next.position:
                position, outcome = next(ended)
                stored = replace(outcome, output=json.loads(json.dumps(outcome.output)))
                progress = progress.with_outcome(definition.steps[position], stored, NOW)
            again = plan.first_move(definition, progress, move.next.position, NOW)
            assert again == Move(move.progress, (), move.next)


def step(name: str, **others: Any) -> Step:
    """Make a TRANSFORM step."""
    return Step(name, TransformConfig({"v": "1"}), **others)


def after(outcome: Outcome, *steps: Step) -> tuple[Outcome, Move]:
    """Decide what follows the first step."""
    return plan.move_after(Definition(steps), Progress({}), 0, outcome, NOW)


def test_a_workflow_without_steps_is_finished_at_once() -> None:
    move = plan.first_move(Definition(), Progress({}), 0, NOW)

    assert move.next == Finish({})


@pytest.mark.parametrize(
    ("branch", "target", "skipped"),
    [("then", RunStep(3), [1, 2]), ("else", Finish({"branch": "else"}), [1, 2, 3])],
)
def test_a_branch_leaves_out_what_it_passes(branch: str, target: Any, skipped: list[int]) -> None:
    choice = Step("a", ConditionConfig("true", "d", END))
    outcome = Outcome(StepStatus.COMPLETED, output={"branch": branch})

    _, move = after(outcome, choice, step("b"), step("c"), step("d"))

    assert move.next == target
    assert [(each.position, each.outcome.skip_reason) for each in move.endings] == [
        (position, SkipReason.BRANCH) for position in skipped
    ]


def test_a_branch_without_a_target_goes_on_with_the_next_step() -> None:
    outcome = Outcome(StepStatus.COMPLETED, output={"branch": "then"})

    _, move = after(outcome, Step("a", ConditionConfig("true")), step("b"))

    assert move == Move(move.progress, (), RunStep(1))


@pytest.mark.parametrize(
    ("choice", "target", "skipped"),
    [
        ("on", RunStep(1), []),
        ("far", RunStep(3), [1, 2]),
        ("out", Finish({"choice": "out"}), [1, 2, 3]),
    ],
)
def test_a_decision_goes_on_where_the_choice_leads(
    choice: str, target: Any, skipped: list[int]
) -> None:
    choices = (Choice("on"), Choice("far", None, "d"), Choice("out", None, END))
    decision = Step("a", DecisionConfig(DecisionMode.MANUAL, choices))
    outcome = Outcome(StepStatus.COMPLETED, output={"choice": choice})

    _, move = after(outcome, decision, step("b"), step("c"), step("d"))

    assert move.next == target
    assert [(each.position, each.outcome.skip_reason) for each in move.endings] == [
        (position, SkipReason.BRANCH) for position in skipped
    ]


def test_a_decision_that_failed_goes_on_with_the_next_step_if_it_may() -> None:
    config = DecisionConfig(DecisionMode.MANUAL, (Choice("a", None, END), Choice("b", None, END)))
    failed = Outcome(StepStatus.FAILED, error={"code": "X", "message": "", "isRetryable": False,
        "details": {}})  # fmt: skip

    _, move = after(failed, Step("a", config, continue_on_error=True), step("b"))

    assert move.next == RunStep(1)


def test_a_recorded_choice_that_the_decision_does_not_have_is_a_bug() -> None:
    config = DecisionConfig(DecisionMode.MANUAL, (Choice("yes"), Choice("no")))

    with pytest.raises(InvariantBroken, match="'a'"):
        after(Outcome(StepStatus.COMPLETED, output={"choice": "maybe"}), Step("a", config))


def test_a_closed_guard_leaves_its_step_out() -> None:
    _, move = after(RAN, step("a"), step("b", run_if="false"), step("c"))

    assert move.next == RunStep(2)
    assert [each.outcome.skip_reason for each in move.endings] == [SkipReason.GUARD]


def test_a_guard_sees_the_results_before_it() -> None:
    _, move = after(RAN, step("a"), step("b", run_if="steps.a.output.v == 1 && previous.v == 1"))

    assert move.next == RunStep(1)


@pytest.mark.parametrize("guard", ["1 + 1", "steps.b.output.v"])
def test_a_guard_that_says_neither_yes_nor_no_fails_its_step(guard: str) -> None:
    _, move = after(RAN, step("a"), step("b", run_if=guard), step("c"))

    assert isinstance(move.next, GiveUp)
    assert move.next.error["details"] == {"stepName": "b"}
    assert move.endings[0].outcome.status is StepStatus.FAILED


def test_a_guard_that_fails_is_passed_if_its_step_says_so() -> None:
    _, move = after(RAN, step("a"), step("b", run_if="1", continue_on_error=True), step("c"))

    assert move.next == RunStep(2)


def test_a_step_whose_outputs_cannot_be_computed_has_failed() -> None:
    outcome, move = after(RAN, step("a", outputs={"x": "output.missing"}), step("b"))

    assert outcome.status is StepStatus.FAILED
    assert outcome.error is not None
    assert outcome.error["code"] == "EXPRESSION_ERROR"
    assert isinstance(move.next, GiveUp)


def test_an_execution_says_which_step_it_failed_at() -> None:
    _, move = after(Outcome(StepStatus.FAILED, error={"code": "X", "message": "It broke.",
        "isRetryable": True, "details": {"a": 1}}), step("a"))  # fmt: skip

    assert isinstance(move.next, GiveUp)
    assert move.next.error["code"] == "X"
    assert move.next.error["message"] == "Step 'a' failed: It broke."
    assert move.next.error["details"] == {"a": 1, "stepName": "a"}


def test_declared_outputs_are_the_executions_output() -> None:
    kind = VariableKind.OUTPUT
    variables = (Variable("x", kind=kind), Variable("y", kind=kind, default="none"))
    definition = Definition((step("a", outputs={"x": "output.v", "z": "2"}),), variables)

    _, move = plan.move_after(definition, Progress({}), 0, RAN, NOW)

    assert move.next == Finish({"x": 1, "y": "none"})


@pytest.mark.parametrize(
    ("output", "result"), [({"a": 1}, {"a": 1}), ([1], {"output": [1]}), (None, {})]
)
def test_without_declared_outputs_the_newest_result_is_the_output(output: Any, result: Any) -> None:
    _, move = after(Outcome(StepStatus.COMPLETED, output=output), step("a"))

    assert move.next == Finish(result)
