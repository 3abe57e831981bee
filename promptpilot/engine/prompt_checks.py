"""What must be true of a prompt before it is stored; every fault names its field.

Units: sizes in bytes of UTF-8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from promptpilot.engine.drafts import UNSET
from promptpilot.engine.expression import ExpressionSyntaxError
from promptpilot.engine.fields import (
    check_document,
    check_line,
    check_tags,
    check_text,
)
from promptpilot.engine.gathering import gather, raise_all
from promptpilot.engine.prompt_drafts import PromptChange, PromptDraft
from promptpilot.engine.prompt_rendering import all_variables, is_fit, wanted
from promptpilot.engine.prompt_texts import PromptText, PromptVariable, PromptVariableType, Turn
from promptpilot.engine.template import Template, parse_template
from promptpilot.errors import InvalidInput, LimitExceeded, Required
from promptpilot.models.columns import check_json

MAX_TEXT_BYTES: Final = 256 * 1024
MAX_TURNS: Final = 100
MAX_VARIABLES: Final = 100
MAX_OPTIONS: Final = 100
MAX_MESSAGE: Final = 1000
_MAX_VARIABLE_NAME: Final = 64
_EXCERPT: Final = 80

Path = tuple[str, ...]
Check = Callable[[], None]


def field_checks(asked: PromptDraft | PromptChange) -> Iterator[Check]:
    """Yield a check for every field beside the text that is given."""
    if asked.name is not UNSET:
        yield partial(check_line, asked.name, ("input", "name"))
    if asked.description is not UNSET:
        yield partial(check_text, asked.description, ("input", "description"))
    if asked.tags is not UNSET:
        yield partial(check_tags, asked.tags or (), ("input", "tags"))
    if asked.metadata is not UNSET:
        yield partial(check_document, asked.metadata or {}, ("input", "metadata"))


def check_message(message: str | None) -> None:
    """Raise InvalidInput for a commit message that is too long or cannot be stored."""
    check_text(message, ("input", "commitMessage"), MAX_MESSAGE)


def completed(text: PromptText) -> PromptText:
    """Return a text with every variable that it uses declared.

    Raises InvalidInput, LimitExceeded, Required or InvalidMany for what cannot be stored.
    """
    gather(*_text_checks(text))
    whole = replace(text, variables=all_variables(text))
    if len(whole.variables) > MAX_VARIABLES:
        message = f"A prompt has at most {MAX_VARIABLES} variables, not {len(whole.variables)}."
        raise LimitExceeded(message, MAX_VARIABLES, ("input", "variables"))
    return whole


def bare_template(text: str, path: Path) -> Template:
    """Return a text as a template whose placeholders are names.

    Raises InvalidInput for a placeholder that cannot be read, or that is no name.
    """
    try:
        template = parse_template(text)
    except ExpressionSyntaxError as error:
        raise InvalidInput(error.message, path) from error
    for reference in sorted(template.references, key=lambda each: each.path):
        shown = ".".join(map(str, reference.path))[:_EXCERPT]
        message = (
            f"{shown} cannot be read here: the placeholders of a prompt are names, such as "
            "{{title}}; what a name stands for is said in the `inputs` of the step."
        )
        raise InvalidInput(message, path)
    return template


def _text_checks(text: PromptText) -> Iterator[Check]:
    yield partial(_check_template, text.content, ("input", "content"))
    if text.instructions is not None:
        yield partial(_check_template, text.instructions, ("input", "instructions"))
    yield partial(_check_turns, text.turns)
    yield partial(_check_variables, text.variables)


def _check_template(text: str | None, path: Path) -> None:
    if text is None or not text.strip():
        raise Required(f"{path[-1]} must not be empty.", path)
    check_json(text, path)
    if len(text.encode()) > MAX_TEXT_BYTES:
        message = f"{path[-1]} may have at most {MAX_TEXT_BYTES} bytes."
        raise LimitExceeded(message, MAX_TEXT_BYTES, path)
    bare_template(text, path)


def _check_turns(turns: tuple[Turn, ...]) -> None:
    path = ("input", "turns")
    if len(turns) > MAX_TURNS:
        message = f"A prompt has at most {MAX_TURNS} earlier turns, not {len(turns)}."
        raise LimitExceeded(message, MAX_TURNS, path)
    gather(
        *(
            partial(_check_template, turn.content, (*path, str(position), "content"))
            for position, turn in enumerate(turns)
        )
    )
    if sum(len(turn.content.encode()) for turn in turns) > MAX_TEXT_BYTES:
        message = f"The turns may have at most {MAX_TEXT_BYTES} bytes together."
        raise LimitExceeded(message, MAX_TEXT_BYTES, path)


def _check_variables(variables: tuple[PromptVariable, ...]) -> None:
    path = ("input", "variables")
    if len(variables) > MAX_VARIABLES:
        message = f"A prompt has at most {MAX_VARIABLES} variables, not {len(variables)}."
        raise LimitExceeded(message, MAX_VARIABLES, path)
    checks: list[Check] = []
    for position, variable in enumerate(variables):
        checks.extend(_variable_checks(variable, (*path, str(position))))
    gather(*checks)
    raise_all(list(_repetitions(variables)))


def _repetitions(variables: tuple[PromptVariable, ...]) -> Iterator[InvalidInput]:
    counts = Counter(variable.name for variable in variables)
    for position, variable in enumerate(variables):
        if counts[variable.name] > 1:
            message = f"The variable {variable.name!r} is declared twice; rename one."
            yield InvalidInput(message, ("input", "variables", str(position), "name"))


def _variable_checks(variable: PromptVariable, path: Path) -> Iterator[Check]:
    yield partial(_check_variable_name, variable.name, (*path, "name"))
    yield partial(check_text, variable.description, (*path, "description"))
    yield partial(_check_options, variable, (*path, "options"))
    yield partial(_check_default, variable, (*path, "defaultValue"))


def _check_variable_name(name: str, path: Path) -> None:
    check_line(name, path, _MAX_VARIABLE_NAME)
    try:
        template = parse_template(f"{{{{{name}}}}}")
    except ExpressionSyntaxError:
        template = parse_template("")
    if template.bare_names != {name}:
        message = (
            f"{name!r} cannot be the name of a variable: use a letter or _, then letters, digits "
            "and _, and no word that placeholders know, such as input or steps."
        )
        raise InvalidInput(message, path)


def _check_options(variable: PromptVariable, path: Path) -> None:
    is_select = variable.type is PromptVariableType.SELECT
    if is_select and not variable.options:
        raise Required(f"{variable.name!r} is SELECT: give its options.", path)
    if not is_select and variable.options:
        message = f"{variable.name!r} is {variable.type}; only SELECT variables have options."
        raise InvalidInput(message, path)
    if len(variable.options) > MAX_OPTIONS:
        message = f"A variable has at most {MAX_OPTIONS} options, not {len(variable.options)}."
        raise LimitExceeded(message, MAX_OPTIONS, path)
    for position, option in enumerate(variable.options):
        check_line(option, (*path, str(position)))
    if len(set(variable.options)) < len(variable.options):
        raise InvalidInput(f"{variable.name!r} has an option twice; remove one.", path)


def _check_default(variable: PromptVariable, path: Path) -> None:
    if variable.default is None:
        return
    check_document({"defaultValue": variable.default}, path)
    if not is_fit(variable, variable.default):
        raise InvalidInput(f"The default of {variable.name!r} must be {wanted(variable)}.", path)
