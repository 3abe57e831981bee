"""Generated definitions: steps with guards, forward branches, failures, and every way to end.

A step is of any type; CONDITION and DECISION branch. Guards, failures, branches and choices are
decided by the input, so that each example of the input is one way through the workflow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from promptpilot.engine.definition import END, Definition, Step
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.reasons import reason
from promptpilot.engine.scope import Outcome
from promptpilot.engine.step_configs import (
    Choice,
    ConditionConfig,
    DecisionConfig,
    DecisionMode,
    DelayConfig,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    RequestConfig,
    RequestHeader,
    StepConfig,
    TransformConfig,
)

MAX_STEPS = 6
MAX_CHOICES = 3
#: What the input decides: for each step whether its guard is open, how it branches, if it fails.
Way = dict[str, Any]
_MODELS = (ModelTarget(ModelProvider.SIMULATOR, "echo"),)
_HEADERS = (RequestHeader("X-A", "{{ input.g0 }}"), RequestHeader("X-B", None, is_secret=True))
#: Configurations of the types that go on at the next step whatever comes of them.
_STRAIGHT: tuple[StepConfig, ...] = (
    TransformConfig({"v": "1"}),
    PromptConfig(_MODELS, content="Say {{ input.g0 }}."),
    DelayConfig(duration_seconds=60, reason="Let it rest."),
    DelayConfig(until="'2030-01-01T00:00:00Z'"),
    RequestConfig("https://example.com/", headers=_HEADERS, body={"k": ["{{ input.g0 }}", 1]}),
)


@st.composite
def definitions(draw: st.DrawFn, max_steps: int = MAX_STEPS) -> Definition:
    """Draw a definition that goes forward only; its guards read `input.g<position>`."""
    count = draw(st.integers(0, max_steps))
    return Definition(tuple(draw(_steps(position, count)) for position in range(count)))


@st.composite
def _steps(draw: st.DrawFn, position: int, count: int) -> Step:
    later = [None, END, *(f"s{target}" for target in range(position + 1, count))]
    targets = st.sampled_from(later)
    config = draw(
        st.sampled_from(_STRAIGHT)
        | st.builds(ConditionConfig, st.just(f"input.c{position}"), targets, targets)
        | _decisions(position, targets)
    )
    step = Step(f"s{position}", config, id=f"st_{position}")
    has_guard, goes_on = draw(st.booleans()), draw(st.booleans())
    outputs = draw(st.sampled_from([{}, {"x": "output"}, {"bad": "output.missing"}]))
    guard = f"input.g{position}" if has_guard else None
    return replace(step, run_if=guard, continue_on_error=goes_on, outputs=outputs)


@st.composite
def _decisions(
    draw: st.DrawFn, position: int, targets: st.SearchStrategy[str | None]
) -> DecisionConfig:
    mode = draw(st.sampled_from(DecisionMode))
    is_by_rule = mode is DecisionMode.RULES
    choices = tuple(
        Choice(
            f"way {number}",
            f"input.k{position} == {number}" if is_by_rule else None,
            draw(targets),
        )
        for number in range(MAX_CHOICES)
    )
    default = draw(st.none() | st.sampled_from([choice.name for choice in choices]))
    return DecisionConfig(mode, choices, default)


@st.composite
def ways(draw: st.DrawFn) -> Way:
    """Draw an input; a guard that is missing cannot be evaluated and fails its step."""
    way: Way = {f"c{n}": draw(st.booleans()) for n in range(MAX_STEPS)}
    way |= {f"k{n}": draw(st.integers(0, MAX_CHOICES - 1)) for n in range(MAX_STEPS)}
    way |= {f"f{n}": draw(st.booleans()) for n in range(MAX_STEPS)}
    return way | {f"g{n}": draw(st.booleans()) for n in range(MAX_STEPS) if draw(st.booleans())}


def outcome_of(step: Step, way: Way) -> Outcome:
    """Return how the step ends when it is run on this way."""
    position = step.name[1:]
    if way[f"f{position}"]:
        return Outcome(StepStatus.FAILED, error=reason("X", "It broke."))
    output: dict[str, Any] = {"v": int(position)}
    match step.config:
        case ConditionConfig():
            output = {"branch": "then" if way[f"c{position}"] else "else"}
        case DecisionConfig() as config:
            output = {"choice": config.choices[way[f"k{position}"]].name}
        case _:
            pass
    return Outcome(StepStatus.COMPLETED, output=output)
