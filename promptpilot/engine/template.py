r"""Texts with `{{ expression }}` in them: parsed once, rendered in one pass.

Rules: what a value renders to is never looked at again, so a value that contains `{{ ... }}` comes
out as it is. `\{{` stands for `{{`. A bare `{{ name }}` that is not a root of the scope means
`vars.name` if there is one, else `input.name`. Described for users in `docs/EXPRESSIONS.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from promptpilot.engine.expression import (
    ExpressionFailed,
    ExpressionSyntaxError,
    Program,
    Reference,
    ValueMissing,
    parse,
)
from promptpilot.engine.expression.failures import over_budget
from promptpilot.engine.expression.lexer import tokens
from promptpilot.engine.expression.limits import (
    MAX_RESULT_CHARACTERS,
    MAX_SOURCE_BYTES,
    MAX_TEXT_BYTES,
    MAX_VALUE_DEPTH,
)
from promptpilot.engine.expression.run import byte_count
from promptpilot.engine.expression.values import display_text, settled

#: Names that a placeholder reads from the scope itself; every other bare name is a variable.
ROOTS: Final = frozenset(
    {
        "input",
        "vars",
        "variables",
        "steps",
        "previous",
        "trigger",
        "execution",
        "workflow",
        "item",
        "index",
        "iteration",
        "error",
        "payload",
        "headers",
        "output",
        "now",
    }
)
TEMPLATE_UNRESOLVED: Final = "TEMPLATE_UNRESOLVED"

_OPEN: Final = "{{"
_CLOSE: Final = "}}"
_BRACES: Final = {"{": 1, "}": -1}
_LONGEST_CACHED: Final = 16_384
_CACHED_TEMPLATES: Final = 1024


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One `{{ expression }}`; `bare_name` is set when it is a variable's bare name."""

    program: Program
    bare_name: str | None

    def value(self, scope: Mapping[str, Any], now: datetime | None) -> Any:
        """Evaluate it; raise ExpressionFailed, with TEMPLATE_UNRESOLVED when a value is missing."""
        try:
            return self._bare_value(scope) if self.bare_name else self.program.evaluate(scope, now)
        except ExpressionFailed as failed:
            is_missing = isinstance(failed, ValueMissing)
            code = TEMPLATE_UNRESOLVED if is_missing else failed.error_code
            message = f"{{{{ {self.program.source} }}}}: {failed.message}"
            raise ExpressionFailed(message, code) from None

    def _bare_value(self, scope: Mapping[str, Any]) -> Any:
        for root in ("vars", "input"):
            fields = scope.get(root)
            if isinstance(fields, Mapping) and self.bare_name in fields:
                return settled(fields[self.bare_name])
        raise ValueMissing(f"there is no variable and no input named {self.bare_name}")


class Template:
    """A parsed text, ready to be rendered any number of times; it never changes.

    `references` are the reads of its expressions. `bare_names` are the variables that it names
    without a root; they are not among the references, because where each is found is known only
    when rendering. `leading_text` is what every rendering begins with, and all of it if
    `is_literal`.
    """

    __slots__ = ("_parts", "bare_names", "is_literal", "leading_text", "references", "text")

    text: str
    references: frozenset[Reference]
    bare_names: frozenset[str]
    leading_text: str
    is_literal: bool

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = tuple(_parts(text))
        found = [part for part in self._parts if isinstance(part, Placeholder)]
        first = self._parts[0] if self._parts else ""
        self.leading_text = first if isinstance(first, str) else ""
        self.is_literal = not found
        self.bare_names = frozenset(part.bare_name for part in found if part.bare_name)
        self.references = frozenset(
            reference
            for part in found
            if not part.bare_name
            for reference in part.program.references
        )

    def render_text(self, scope: Mapping[str, Any], now: datetime | None = None) -> str:
        """Render to text: strings as they are, other values as compact JSON, null as `null`.

        Raises ExpressionFailed: TEMPLATE_UNRESOLVED for a missing value, EXPRESSION_BUDGET for
        more than a mebibyte of text, otherwise the code of the expression's failure.
        """
        return "".join(text for _, text in self.pieces(scope, now))

    def pieces(
        self, scope: Mapping[str, Any], now: datetime | None = None
    ) -> Iterator[tuple[bool, str]]:
        """Render piece by piece: yield whether a text is a placeholder's value, and the text.

        Raises what `render_text` raises.
        """
        room = MAX_TEXT_BYTES
        for part in self._parts:
            is_value = isinstance(part, Placeholder)
            text = part if isinstance(part, str) else display_text(part.value(scope, now))
            room -= byte_count(text)
            if room < 0:
                raise over_budget(f"the rendered text is longer than {MAX_TEXT_BYTES} bytes")
            yield is_value, text

    def render_value(self, scope: Mapping[str, Any], now: datetime | None = None) -> Any:
        """Render a field: the value itself if the text is one placeholder and nothing else."""
        if len(self._parts) == 1 and isinstance(self._parts[0], Placeholder):
            return self._parts[0].value(scope, now)
        return self.render_text(scope, now)


def parse_template(text: str) -> Template:
    """Parse a text; raise ExpressionSyntaxError with the position in the whole text."""
    return _parse_short(text) if len(text) <= _LONGEST_CACHED else Template(text)


def render_json(value: Any, scope: Mapping[str, Any], now: datetime | None = None) -> Any:
    """Render every string in a JSON value as a field; names of fields stay as they are.

    Raises ExpressionFailed, and ExpressionSyntaxError if a string is no template.
    """
    return settled(_JsonRendering(scope, now).render(value, MAX_VALUE_DEPTH))


def templates_in(value: Any) -> Iterator[tuple[tuple[str, ...], Template]]:
    """Yield every string of a JSON value as a template, with the path to it.

    Raises ExpressionSyntaxError whose `path` is that path.
    """
    for path, text in texts_in(value):
        yield path, _parse_at(path, text)


def texts_in(value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every string of a JSON value with the path to it; names of fields are none."""
    stack: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, str):
            yield path, item
        elif isinstance(item, dict):
            stack.extend(((*path, key), item[key]) for key in reversed(item))
        elif isinstance(item, list):
            stack.extend(((*path, str(i)), item[i]) for i in reversed(range(len(item))))


@lru_cache(maxsize=_CACHED_TEMPLATES)
def _parse_short(text: str) -> Template:
    return Template(text)


def _parse_at(path: tuple[str, ...], text: str) -> Template:
    try:
        return parse_template(text)
    except ExpressionSyntaxError as error:
        error.path = path
        raise


class _JsonRendering:
    """Renders the strings of one value, and stops when they come to too much text together."""

    __slots__ = ("_now", "_room", "_scope")

    def __init__(self, scope: Mapping[str, Any], now: datetime | None) -> None:
        self._scope = scope
        self._now = now
        self._room = MAX_RESULT_CHARACTERS

    def render(self, value: Any, levels: int) -> Any:
        if not levels:
            raise over_budget(f"the value is nested deeper than {MAX_VALUE_DEPTH} levels")
        if isinstance(value, str):
            return self._render_field(value)
        if isinstance(value, dict):
            return {key: self.render(item, levels - 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.render(item, levels - 1) for item in value]
        return value

    def _render_field(self, text: str) -> Any:
        rendered = parse_template(text).render_value(self._scope, self._now)
        self._room -= len(rendered) if isinstance(rendered, str) else 0
        if self._room < 0:
            raise over_budget(f"the value has more than {MAX_RESULT_CHARACTERS} characters of text")
        return rendered


def _parts(text: str) -> Iterator[str | Placeholder]:
    position = 0
    literal: list[str] = []
    while (opening := text.find(_OPEN, position)) >= 0:
        if text[max(opening - 1, position) : opening] == "\\":
            literal += text[position : opening - 1], _OPEN
            position = opening + len(_OPEN)
            continue
        literal.append(text[position:opening])
        if any(literal):
            yield "".join(literal)
        literal = []
        placeholder, position = _placeholder(text, opening)
        yield placeholder
    literal.append(text[position:])
    if any(literal):
        yield "".join(literal)


def _placeholder(text: str, opening: int) -> tuple[Placeholder, int]:
    start = opening + len(_OPEN)
    closing = _closing(text, start)
    source = text[start:closing].lstrip()
    try:
        program = parse(source.rstrip())
    except ExpressionSyntaxError as error:
        raise _moved(error, closing - len(source)) from None
    return Placeholder(program, _bare_name(program)), closing + len(_CLOSE)


def _closing(text: str, start: int) -> int:
    window = text[start : start + MAX_SOURCE_BYTES + len(_CLOSE)]
    depth = 0
    try:
        for token in tokens(window):
            if depth == 0 and token.kind == "sign" and window.startswith(_CLOSE, token.start):
                return start + token.start
            depth = max(depth + _BRACES.get(token.text, 0) * (token.kind == "sign"), 0)
    except ExpressionSyntaxError as error:
        raise _moved(error, start) from None
    raise ExpressionSyntaxError(
        f"the placeholder is not closed by }}}} within {MAX_SOURCE_BYTES} characters; "
        "write \\{{ for the braces themselves",
        start - len(_OPEN),
    )


def _moved(error: ExpressionSyntaxError, offset: int) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(error.reason, error.position + offset, error.error_code)


def _bare_name(program: Program) -> str | None:
    name = program.source
    itself = Reference((name,), is_guarded=False, is_dynamic=False)
    return name if itself in program.references and name not in ROOTS else None
