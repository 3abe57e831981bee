"""Proves that progress grows by results alone, and what expressions see of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from promptpilot.engine.definition import Step
from promptpilot.engine.expression import ExpressionFailed
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.reasons import reason
from promptpilot.engine.scope import Outcome, Progress, SkipReason
from promptpilot.engine.step_configs import TransformConfig

NOW = datetime(2026, 9, 1, tzinfo=UTC)
START = Progress({"title": "x"}, {"trigger": {"type": "WEBHOOK"}})


def step(name: str = "a", **outputs: str) -> Step:
    """Make a step that sets variables."""
    return Step(name, TransformConfig({"v": "1"}), outputs=outputs)


def completed(**output: object) -> Outcome:
    """Make a result."""
    return Outcome(StepStatus.COMPLETED, output=output)


def test_the_first_scope_holds_the_input_and_the_facts() -> None:
    scope = START.scope()

    assert scope == {
        "trigger": {"type": "WEBHOOK"},
        "input": {"title": "x"},
        "steps": {},
        "vars": {},
        "variables": {},
        "previous": None,
    }


def test_a_result_is_seen_by_name_and_as_the_previous_one() -> None:
    scope = START.with_outcome(step(), completed(v=1), NOW).scope()

    assert scope["steps"]["a"] == {"status": "COMPLETED", "output": {"v": 1}, "error": None}
    assert scope["previous"] == {"v": 1}


def test_outputs_set_variables_from_the_steps_own_result() -> None:
    made = step(x="output.v", y="steps.a.output.v + 1", z="now")

    progress = START.with_outcome(made, completed(v=1), NOW)

    assert progress.vars == {"x": 1, "y": 2, "z": "2026-09-01T00:00:00.000000Z"}


def test_outputs_read_the_variables_from_before_the_step() -> None:
    progress = START.with_outcome(step("a", x="1"), completed(), NOW)

    again = progress.with_outcome(step("b", x="vars.x + 1", y="vars.x"), completed(), NOW)

    assert again.vars == {"x": 2, "y": 1}


def test_a_step_that_did_not_complete_sets_nothing() -> None:
    before = START.with_outcome(step("a", x="1"), completed(v=1), NOW)
    failed = Outcome(StepStatus.FAILED, error=reason("X", "It broke."))

    after = before.with_outcome(step("b", x="2"), failed, NOW)

    assert (after.vars, after.previous) == (before.vars, before.previous)
    assert after.scope()["steps"]["b"]["error"]["code"] == "X"


def test_a_skipped_step_is_seen_as_skipped() -> None:
    skipped = Outcome(StepStatus.SKIPPED, skip_reason=SkipReason.GUARD)

    after = START.with_outcome(step(), skipped, NOW)

    assert after.scope()["steps"]["a"] == {"status": "SKIPPED", "output": None, "error": None}


def test_outputs_that_cannot_be_computed_change_nothing() -> None:
    with pytest.raises(ExpressionFailed):
        START.with_outcome(step(x="output.missing"), completed(v=1), NOW)

    assert START.results == {}
