"""Proves where a repeat begins, over generated definitions, ways through them and changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine import plan
from promptpilot.engine.beginning import Beginning, Record, find_beginning
from promptpilot.engine.definition import END, Definition, Step
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.plan import RunStep
from promptpilot.engine.scope import Outcome, Progress, SkipReason
from promptpilot.errors import InvalidInput
from tests.support.definitions import Way, definitions, outcome_of, ways
from tests.support.drafts import condition, transform

NOW = datetime(2026, 9, 1, tzinfo=UTC)
RAN = Outcome(StepStatus.COMPLETED, {"v": 1})
FAILED = Outcome(StepStatus.FAILED, error={})
LEFT_OUT = Outcome(StepStatus.SKIPPED, skip_reason=SkipReason.BRANCH)
BRANCHED = Outcome(StepStatus.COMPLETED, {"branch": "then"})


def steps(names: str) -> Definition:
    """Make a definition of TRANSFORM steps with names of one letter."""
    return Definition(tuple(transform(name, f"st_{name}") for name in names))


def record(definition: Definition, *outcomes: Outcome) -> Record:
    """Make the record of an execution whose first steps ended so."""
    return Record(definition, dict(enumerate(outcomes)))


def changed(definition: Definition, position: int) -> Definition:
    """Return the definition with another step, of the same name, at the position."""
    others = list(definition.steps)
    others[position] = replace(others[position], timeout_seconds=7)
    return Definition(tuple(others))


def walked(definition: Definition, way: Way) -> Record:
    """Go through a definition as the driver does; return how the steps ended."""
    outcomes: dict[int, Outcome] = {}
    move = plan.first_move(definition, Progress(way), 0, NOW)
    while True:
        outcomes |= {each.position: each.outcome for each in move.endings}
        if not isinstance(move.next, RunStep):
            return Record(definition, outcomes)
        position = move.next.position
        made = outcome_of(definition.steps[position], way)
        outcomes[position], move = plan.move_after(definition, move.progress, position, made, NOW)


@given(definitions(), ways())
def test_an_unchanged_definition_begins_where_it_went_wrong(
    definition: Definition, way: Way
) -> None:
    story = walked(definition, way)

    begun = find_beginning(story, definition, None)

    wrong = [
        position
        for position, outcome in story.outcomes.items()
        if outcome.status is StepStatus.FAILED and not definition.steps[position].continue_on_error
    ]
    expected = wrong[0] if wrong else 0
    assert begun == Beginning(expected, expected)


@given(definitions(), ways())
def test_every_step_that_was_reached_and_not_branched_past_can_be_the_beginning(
    definition: Definition, way: Way
) -> None:
    story = walked(definition, way)

    for position, step in enumerate(definition.steps):
        outcome = story.outcomes.get(position)
        if outcome is None or outcome.skip_reason is SkipReason.BRANCH:
            with pytest.raises(InvalidInput):
                find_beginning(story, definition, step.name)
        else:
            expected = Beginning(position, position)
            assert find_beginning(story, definition, step.name) == expected


@given(definitions(max_steps=5), ways(), st.data())
def test_nothing_is_taken_over_from_the_first_change_on(
    definition: Definition, way: Way, data: st.DataObject
) -> None:
    story = walked(definition, way)
    where = data.draw(st.integers(0, len(definition.steps)))
    before, after = definition.steps[:where], definition.steps[where:]
    mended = Definition((*before, transform("new", "st_new"), *after))

    begun = find_beginning(story, mended, None)

    assert begun.taken <= min(where, story.well_ended)
    assert begun.taken <= begun.position <= len(mended.steps)


@pytest.mark.parametrize(
    ("names", "expected"), [("abc", 2), ("axc", 1), ("ab", 2), ("", 0), ("xabc", 0), ("abcd", 2)]
)
def test_without_a_name_it_begins_at_the_first_step_that_is_wrong_or_changed(
    names: str, expected: int
) -> None:
    begun = find_beginning(record(steps("abc"), RAN, RAN, FAILED), steps(names), None)

    assert begun == Beginning(expected, expected)


def test_what_ended_well_begins_anew() -> None:
    begun = find_beginning(record(steps("ab"), RAN, RAN), changed(steps("ab"), 1), None)

    assert begun == Beginning(0, 0)


@pytest.mark.parametrize(
    "outcome", [FAILED, Outcome(StepStatus.CANCELLED), Outcome(StepStatus.WAITING), None]
)
def test_what_did_not_end_well_is_run_again(outcome: Outcome | None) -> None:
    ended = (RAN,) if outcome is None else (RAN, outcome)

    assert find_beginning(record(steps("abc"), *ended), steps("abc"), None) == Beginning(1, 1)


def test_a_failure_that_was_accepted_is_taken_over() -> None:
    tolerant = Definition((replace(transform("a"), continue_on_error=True), transform("b")))

    assert find_beginning(record(tolerant, FAILED, FAILED), tolerant, None) == Beginning(1, 1)


@pytest.mark.parametrize(
    ("name", "now", "message"),
    [
        ("z", steps("abcd"), "There is no step 'z'; the steps are: a, b, c, d."),
        ("a", Definition(), "There is no step 'a'; the steps are: none."),
        ("d", steps("abcd"), "Step 'c' before it did not end well; begin there or"),
        ("c", changed(steps("abcd"), 0), "Step 'a' before it is new or was changed; begin"),
        ("c", steps("abxcd"), "Step 'x' before it is new or was changed; begin"),
    ],
    ids=["unknown", "no steps", "too late", "changed", "new"],
)
def test_what_cannot_be_the_beginning_is_told_with_the_way_out(
    name: str, now: Definition, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as refusal:
        find_beginning(record(steps("abcd"), RAN, RAN, FAILED), now, name)

    assert refusal.value.path == ("input", "fromStepName")


def branching(*names: str, target: str = "t") -> Definition:
    """Make a definition whose first step, c, branches to the target."""
    return Definition((condition("c", then_step=target), *(transform(name) for name in names)))


def test_a_step_that_a_branch_left_out_names_the_branch() -> None:
    definition = branching("s", "t")

    with pytest.raises(InvalidInput, match=r"'s' is left out by the branch of step 'c'; begin at"):
        find_beginning(record(definition, BRANCHED, LEFT_OUT, FAILED), definition, "s")


@pytest.mark.parametrize("name", ["t", None])
def test_steps_that_a_branch_passes_now_are_left_out(name: str | None) -> None:
    story = record(branching("t"), BRANCHED, FAILED)

    assert find_beginning(story, branching("x", "t"), name) == Beginning(1, 2)
    with pytest.raises(InvalidInput, match="left out by the branch of step 'c'"):
        find_beginning(story, branching("x", "t"), "x")


def test_a_branch_to_the_end_leaves_out_all_that_is_new() -> None:
    story = record(branching("t", target=END), BRANCHED, LEFT_OUT)

    begun = find_beginning(story, branching("t", "x", target=END), "c")

    assert begun == Beginning(0, 0)


def test_steps_are_the_same_only_with_the_same_id() -> None:
    other = Definition((Step("a", steps("a").steps[0].config, id="st_other"), *steps("bc").steps))

    assert find_beginning(record(steps("abc"), RAN, RAN), other, None) == Beginning(0, 0)
