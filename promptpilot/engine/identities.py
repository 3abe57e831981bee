"""Gives the steps and variables of a draft their ids, so that history follows them.

Rules: a step keeps its id when the draft names it, or else when it has the name of a step as it
was; a variable when it has the name. An id is given to one step only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from promptpilot import ids
from promptpilot.engine.definition import Definition, Step, Variable
from promptpilot.engine.gathering import raise_all
from promptpilot.errors import InvalidInput


def identified(asked: Definition, before: Definition) -> Definition:
    """Return `asked` with an id for every part; `before` is what it replaces.

    Raises InvalidInput or InvalidMany for ids that are not of a step of `before`.
    """
    check_ids(asked.steps, before)
    return replace(
        asked,
        steps=_with_step_ids(asked.steps, before),
        variables=_with_variable_ids(asked.variables, before),
    )


def renewed(definition: Definition) -> Definition:
    """Return the definition with fresh ids, for another workflow."""
    steps = tuple(replace(step, id="") for step in definition.steps)
    return identified(replace(definition, steps=steps), Definition())


def check_ids(steps: Sequence[Step], before: Definition) -> None:
    """Raise InvalidInput or InvalidMany for ids that are not of a step of `before`."""
    known = {step.id for step in before.steps}
    counts = Counter(step.id for step in steps if step.id)
    raise_all(
        [
            InvalidInput(_reason(step), ("input", "steps", str(position), "id"))
            for position, step in enumerate(steps)
            if step.id and (step.id not in known or counts[step.id] > 1)
        ]
    )


def _reason(step: Step) -> str:
    return (
        f"The id of the step {step.name!r} must be that of a step of this workflow, and of one "
        "step only. Leave it out for a new step."
    )


def _with_step_ids(steps: Sequence[Step], before: Definition) -> tuple[Step, ...]:
    given = {step.id for step in steps}
    free = {step.name: step.id for step in before.steps if step.id not in given}
    return tuple(
        replace(step, id=step.id or free.pop(step.name, "") or ids.new_id(ids.Kind.STEP))
        for step in steps
    )


def _with_variable_ids(variables: Sequence[Variable], before: Definition) -> tuple[Variable, ...]:
    free = {variable.name: variable.id for variable in before.variables}
    return tuple(
        replace(variable, id=free.pop(variable.name, "") or ids.new_id(ids.Kind.VARIABLE))
        for variable in variables
    )
