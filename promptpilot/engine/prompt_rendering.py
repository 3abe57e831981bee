"""Fills in a version of a stored prompt with the values that a step has for its variables.

Rules: a text of a stored prompt sees its variables and nothing else. A value of null counts as
none. A variable that need not be given and has no default is empty text; one that no text uses
is not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from promptpilot.engine.expression.values import described
from promptpilot.engine.prompt_texts import PromptText, PromptVariable, PromptVariableType, Turn
from promptpilot.engine.template import TEMPLATE_UNRESOLVED, Template, parse_template
from promptpilot.errors import StepFailed

INPUT_INVALID: Final = "INPUT_INVALID"

_WANTED: Final[Mapping[PromptVariableType, str]] = {
    PromptVariableType.TEXT: "text, a number, or true or false; write json(...) for other values",
    PromptVariableType.NUMBER: "a number",
    PromptVariableType.BOOLEAN: "true or false",
    PromptVariableType.SELECT: "one of its options",
}


@dataclass(frozen=True, slots=True)
class RenderedPromptText:
    """What a version of a prompt says with its values in place."""

    content: str
    instructions: str | None
    turns: tuple[Turn, ...]


def rendered(
    prompt: PromptText, scope: Mapping[str, Any], now: datetime | None = None
) -> RenderedPromptText:
    """Return the texts with the values of `scope`: `vars` (own inputs included), then `input`.

    Raises StepFailed: TEMPLATE_UNRESOLVED for a variable without value and default, INPUT_INVALID
    for a value that is not of its variable's type, and the codes of `Template.render_text`.
    """
    values = {each.name: _value(each, scope) for each in used_variables(prompt)}
    own = {"vars": values}

    def text(source: str) -> str:
        return parse_template(source).render_text(own, now)

    return RenderedPromptText(
        content=text(prompt.content),
        instructions=None if prompt.instructions is None else text(prompt.instructions),
        turns=tuple(Turn(each.role, text(each.content)) for each in prompt.turns),
    )


def all_variables(prompt: PromptText) -> tuple[PromptVariable, ...]:
    """Return the declared variables, then required texts for the other names in the texts."""
    declared = {each.name for each in prompt.variables}
    others = (name for name in _names(prompt) if name not in declared)
    return (*prompt.variables, *map(PromptVariable, others))


def used_variables(prompt: PromptText) -> tuple[PromptVariable, ...]:
    """Return the variables that the texts name."""
    used = _names(prompt)
    return tuple(each for each in all_variables(prompt) if each.name in used)


def templates_of(prompt: PromptText) -> tuple[Template, ...]:
    """Return the texts of a prompt in the order they are said; raise ExpressionSyntaxError."""
    first = () if prompt.instructions is None else (prompt.instructions,)
    texts = (*first, *(turn.content for turn in prompt.turns), prompt.content)
    return tuple(parse_template(text) for text in texts)


def is_fit(variable: PromptVariable, value: Any) -> bool:
    """Whether a value can stand in a variable's place."""
    match variable.type:
        case PromptVariableType.TEXT:
            return isinstance(value, str | int | float)
        case PromptVariableType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case PromptVariableType.BOOLEAN:
            return isinstance(value, bool)
        case PromptVariableType.SELECT:
            return isinstance(value, str) and value in variable.options


def wanted(variable: PromptVariable) -> str:
    """Return, as a phrase, what a value of a variable must be."""
    return _WANTED[variable.type]


def _names(prompt: PromptText) -> Mapping[str, None]:
    """Return the names in the texts, each once, in the order of the texts."""
    return dict.fromkeys(name for each in templates_of(prompt) for name in sorted(each.bare_names))


def _value(variable: PromptVariable, scope: Mapping[str, Any]) -> Any:
    given = _given(variable.name, scope)
    if given is None:
        return _default(variable)
    if not is_fit(variable, given):
        message = (
            f"The prompt's variable {variable.name!r} must be {wanted(variable)}, "
            f"and its value is {described(given)}."
        )
        raise StepFailed(message, INPUT_INVALID, details={"variable": variable.name})
    return given


def _given(name: str, scope: Mapping[str, Any]) -> Any:
    for root in ("vars", "input"):
        fields = scope.get(root)
        if isinstance(fields, Mapping) and fields.get(name) is not None:
            return fields[name]
    return None


def _default(variable: PromptVariable) -> Any:
    if variable.default is not None:
        return variable.default
    if not variable.is_required:
        return ""
    message = (
        f"The prompt's variable {variable.name!r} has no value: give it in the step's `inputs`, "
        "as an input of the workflow, or as the variable's default."
    )
    raise StepFailed(message, TEMPLATE_UNRESOLVED, details={"variable": variable.name})
