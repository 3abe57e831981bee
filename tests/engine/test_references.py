"""Proves that sureness agrees with trying every way through a definition."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import example, given
from hypothesis import strategies as st

from promptpilot.engine.definition import END, Definition, Step
from promptpilot.engine.references import is_sure
from promptpilot.engine.step_configs import (
    Choice,
    ConditionConfig,
    DecisionConfig,
    DecisionMode,
    TransformConfig,
)
from tests.support.definitions import definitions

_FIRM = Step("s0", ConditionConfig("true", "s2", None))
_PLAIN = Step("s1", TransformConfig({"v": "1"}))
_BRANCHED = Definition((_FIRM, _PLAIN, Step("s2", TransformConfig({"v": "1"}))))


def ways_to(definition: Definition, goal: int, position: int = 0) -> Iterator[frozenset[int]]:
    """Yield, for each way to `goal`, the steps that have an output on it."""
    if position == goal:
        yield frozenset()
    if position >= min(goal, len(definition.steps)):
        return
    step = definition.steps[position]
    can_lack = step.run_if is not None or step.continue_on_error
    for with_output in _targets(definition, step, position):
        for rest in ways_to(definition, goal, with_output):
            yield rest | {position}
    if can_lack:
        yield from ways_to(definition, goal, position + 1)


def _targets(definition: Definition, step: Step, position: int) -> set[int]:
    names: list[str | None] = [None]
    match step.config:
        case ConditionConfig() as config:
            names = [config.then_step, config.else_step]
        case DecisionConfig() as config:
            names = [choice.next_step for choice in config.choices]
        case _:
            pass
    return {definition.target_of(name, position) for name in names}


@given(definitions(), st.sets(st.integers(0, 5)), st.integers(0, 6))
@example(_BRANCHED, {1}, 2)
@example(_BRANCHED, {0}, 2)
def test_sureness_is_what_holds_on_every_way(
    definition: Definition, sources: set[int], reader: int
) -> None:
    count = len(definition.steps)
    reader = min(reader, count)
    sources = {source for source in sources if source < reader}

    ways = list(ways_to(definition, reader))

    # A source that may lack its output is never counted, not even beside another one that covers.
    firm = {n for n in sources if not _may_lack(definition.steps[n])}
    assert is_sure(definition, sources, reader) == all(way & firm for way in ways)
    assert not is_sure(definition, sources, reader) or all(way & sources for way in ways)


def _may_lack(step: Step) -> bool:
    return step.run_if is not None or step.continue_on_error


def test_every_choice_of_a_decision_is_a_way() -> None:
    choices = (Choice("on"), Choice("far", None, "s2"))
    decision = Step("s0", DecisionConfig(DecisionMode.MANUAL, choices, default_choice="on"))
    definition = Definition((decision, _PLAIN, Step("s2", TransformConfig({"v": "1"}))))

    assert is_sure(definition, [0], 2)
    assert not is_sure(definition, [1], 2)


def test_a_target_that_does_not_exist_is_no_way() -> None:
    choice = Step("s0", ConditionConfig("true", "nowhere", "s1"))
    definition = Definition((choice, _PLAIN))

    assert is_sure(definition, [1], 2)


def test_a_way_past_the_end_does_not_reach_a_step() -> None:
    choice = Step("s0", ConditionConfig("true", END, None))
    definition = Definition((choice, _PLAIN, Step("s2", TransformConfig({"v": "1"}))))

    assert is_sure(definition, [1], 2)
    assert not is_sure(definition, [1], 3)
