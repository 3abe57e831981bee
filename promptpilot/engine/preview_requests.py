"""What a preview is asked for, and what of it cannot be.

Every fault names the argument that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final

from promptpilot.engine.definition import Definition, Step, VariableKind
from promptpilot.engine.drafts import WorkflowDraft
from promptpilot.engine.gathering import gather
from promptpilot.engine.inputs import value_faults
from promptpilot.engine.samples import sample_of
from promptpilot.engine.step_configs import ConditionConfig, DecisionConfig
from promptpilot.errors import InvalidInput
from promptpilot.models.columns import check_json

#: Where the values for INPUT variables stand in the caller's arguments.
INPUT_PATH: Final = ("input", "input")
#: Where a definition that is not stored stands there.
DEFINITION_PATH: Final = ("input", "target", "definition")

_STEP_PATH: Final = ("input", "toStepName")
_PINS_PATH: Final = ("input", "pinnedOutputs")
_MAX_NAMES: Final = 50


class PreviewMode(StrEnum):
    """What a preview may do."""

    SIMULATE = "SIMULATE"  #: nothing leaves the server
    LIVE = "LIVE"  #: models are called


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRequest:
    """What to try: a stored workflow, by its id, or one that is not stored.

    `pinned_outputs` are outputs by the names of steps, which are then not run.
    """

    target: str | WorkflowDraft
    mode: PreviewMode = PreviewMode.SIMULATE
    input: Mapping[str, Any] = field(default_factory=dict)
    uses_sample_data: bool = False
    to_step_name: str | None = None
    pinned_outputs: Mapping[str, Any] = field(default_factory=dict)


def check_documents(request: PreviewRequest) -> None:
    """Raise InvalidInput or InvalidMany unless input and pinned outputs are JSON objects."""
    gather(
        lambda: _check_object(request.input, INPUT_PATH),
        lambda: _check_object(request.pinned_outputs, _PINS_PATH),
    )


def _check_object(values: Mapping[str, Any], path: tuple[str, ...]) -> None:
    if not isinstance(values, dict):
        raise InvalidInput(f"{path[-1]} must be a JSON object.", path)
    check_json(values, path)


def check_names(definition: Definition, request: PreviewRequest) -> None:
    """Raise InvalidInput, or InvalidMany of it, for unknown steps and pins that do not fit."""
    gather(
        lambda: last_position(definition, request.to_step_name),
        *(partial(_check_pin, definition, *pin) for pin in request.pinned_outputs.items()),
    )


def last_position(definition: Definition, name: str | None) -> int:
    """Return the position of the step to stop after; raise InvalidInput if there is none."""
    if name is None:
        return len(definition.steps)
    return _position(definition, name, _STEP_PATH)


def _check_pin(definition: Definition, name: str, output: Any) -> None:
    path = (*_PINS_PATH, name)
    step = definition.steps[_position(definition, name, path)]
    wanted = _branches(step)
    if wanted is None:
        return
    field_name, values = wanted
    chosen = output.get(field_name) if isinstance(output, Mapping) else None
    if chosen not in values:
        known = ", ".join(repr(value) for value in values)
        message = f"The output of step {name!r} needs {field_name!r}, one of: {known}."
        raise InvalidInput(message, path)


def _branches(step: Step) -> tuple[str, tuple[str, ...]] | None:
    """Return the field by which a step's output says how to go on, and what it may be."""
    match step.config:
        case ConditionConfig():
            return "branch", ("then", "else")
        case DecisionConfig() as config:
            return "choice", tuple(choice.name for choice in config.choices)
        case _:
            return None


def _position(definition: Definition, name: str, path: tuple[str, ...]) -> int:
    position = definition.index.get(name)
    if position is None:
        names = ", ".join(step.name for step in definition.steps[:_MAX_NAMES]) or "none"
        raise InvalidInput(f"There is no step {name!r}; the steps are: {names}.", path)
    return position


def samples_for(definition: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return samples for required inputs that are missing, as far as they pass their checks."""
    missing = [
        variable
        for variable in definition.variables_of(VariableKind.INPUT)
        if variable.is_required and variable.default is None and given.get(variable.name) is None
    ]
    made = {variable.name: sample_of(variable) for variable in missing}
    return {
        variable.name: made[variable.name]
        for variable in missing
        if not any(value_faults(variable, made[variable.name], INPUT_PATH))
    }
