"""Generated definitions: steps with guards, forward branches, failures, and every way to end.

A step is a CONDITION, which branches, or a TRANSFORM. Guards, failures and branches are decided by
the input, so that each example of the input is one way through the workflow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from promptpilot.engine.definition import (
    END,
    ConditionConfig,
    Definition,
    Step,
    StepConfig,
    TransformConfig,
)
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.reasons import reason
from promptpilot.engine.scope import Outcome

MAX_STEPS = 6


@st.composite
def definitions(draw: st.DrawFn, max_steps: int = MAX_STEPS) -> Definition:
    """Draw a definition that goes forward only; its guards read `input.g<position>`."""
    count = draw(st.integers(0, max_steps))
    return Definition(tuple(draw(_steps(position, count)) for position in range(count)))


@st.composite
def _steps(draw: st.DrawFn, position: int, count: int) -> Step:
    later = [None, END, *(f"s{target}" for target in range(position + 1, count))]
    config: StepConfig = TransformConfig({"v": str(position)})
    if draw(st.booleans()):
        targets = draw(st.sampled_from(later)), draw(st.sampled_from(later))
        config = ConditionConfig(f"input.c{position}", *targets)
    step = Step(f"s{position}", config, id=f"st_{position}")
    has_guard, goes_on = draw(st.booleans()), draw(st.booleans())
    outputs = draw(st.sampled_from([{}, {"x": "output"}, {"bad": "output.missing"}]))
    guard = f"input.g{position}" if has_guard else None
    return replace(step, run_if=guard, continue_on_error=goes_on, outputs=outputs)


#: What the input decides: for each step whether its guard is open, how it branches, if it fails.
@st.composite
def ways(draw: st.DrawFn) -> dict[str, bool]:
    """Draw an input; a guard that is missing cannot be evaluated and fails its step."""
    way = {f"c{n}": draw(st.booleans()) for n in range(MAX_STEPS)}
    way |= {f"f{n}": draw(st.booleans()) for n in range(MAX_STEPS)}
    return way | {f"g{n}": draw(st.booleans()) for n in range(MAX_STEPS) if draw(st.booleans())}


def outcome_of(step: Step, way: dict[str, bool]) -> Outcome:
    """Return how the step ends when it is run on this way."""
    position = step.name[1:]
    if way[f"f{position}"]:
        return Outcome(StepStatus.FAILED, error=reason("X", "It broke."))
    output: dict[str, Any] = {"v": int(position)}
    if isinstance(step.config, ConditionConfig):
        output = {"branch": "then" if way[f"c{position}"] else "else"}
    return Outcome(StepStatus.COMPLETED, output=output)
