"""Which steps are sure to have an output when another one runs.

A step may be left out by its guard, by a condition or by a decision that goes past it, and may
fail without ending the execution; whoever reads its output then must provide for its absence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from promptpilot.engine.definition import END, Definition, Step
from promptpilot.engine.step_configs import ConditionConfig, DecisionConfig, StepConfig


def is_sure(definition: Definition, sources: Collection[int], reader: int) -> bool:
    """Whether one of the steps at `sources` has an output on every way to the step at `reader`.

    `reader` may be the number of steps, which stands for the end of the workflow.
    """
    firm = frozenset(source for source in sources if _is_firm(definition.steps[source]))
    return not _reaches(definition, reader, without=firm)


def _is_firm(step: Step) -> bool:
    """Whether the step has an output whenever the workflow goes on after it."""
    return step.run_if is None and not step.continue_on_error


def _reaches(definition: Definition, goal: int, *, without: Collection[int]) -> bool:
    """Whether a way from the first step to `goal` goes round all the steps of `without`."""
    seen = set(without)
    ahead = [0]
    while ahead:
        position = ahead.pop()
        if position in seen or position > goal:
            continue
        if position == goal:
            return True
        seen.add(position)
        ahead.extend(_successors(definition, position))
    return False


def _successors(definition: Definition, position: int) -> Iterator[int]:
    """Yield where the workflow may go on; a step that is left out goes on like any other."""
    step = definition.steps[position]
    branches = _branches(step.config)
    for name in branches:
        if name is None or name == END or name in definition.index:
            yield definition.target_of(name, position)
    if not branches or not _is_firm(step):
        yield position + 1


def _branches(config: StepConfig) -> Sequence[str | None]:
    """Return where a step that branches may go on; nothing for other steps."""
    match config:
        case ConditionConfig():
            return (config.then_step, config.else_step)
        case DecisionConfig():
            return [choice.next_step for choice in config.choices]
        case _:
            return ()
