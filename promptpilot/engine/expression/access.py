"""Compiled code that reads names, members and items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from promptpilot.engine.expression.failures import ExpressionFailed, Unfit, ValueMissing
from promptpilot.engine.expression.moment import moment_text
from promptpilot.engine.expression.run import Code, Run
from promptpilot.engine.expression.values import as_integer, described, kind_of

_ABSENT: Final = object()

#: One access of a chain: code of the key, whether absence gives null, and how to name it.
CompiledPart = tuple[Code, bool, Callable[[Any, Any], str]]


def read_cell(cell: int) -> Code:
    """Read the variable of a macro."""
    return lambda run: run.cells[cell]


def read_root(name: str) -> Code:
    """Read a root of the scope."""

    def read(run: Run) -> Any:
        try:
            return run.scope[name]
        except KeyError:
            raise ValueMissing(f'unknown name "{name}"') from None

    return read


def read_now(run: Run) -> str:
    """Read the moment of the evaluation."""
    if run.now is None:
        raise ExpressionFailed("now is not known here")
    return moment_text(run.now)


def read_path(root: Code, names: tuple[str, ...], fallback: Code) -> Code:
    """Read constant fields below a root; whatever is not plain is left to the fallback."""

    def read(run: Run) -> Any:
        value = root(run)
        for name in names:
            if type(value) is not dict or name not in value:
                return fallback(run)
            value = value[name]
        return value

    return read


def read_chain(base: Code, parts: tuple[CompiledPart, ...], text: str) -> Code:
    """Read any chain; absence raises ValueMissing, or gives null where it is optional."""

    def read(run: Run) -> Any:
        value = base(run)
        for key_code, is_optional, complaint in parts:
            key = key_code(run)
            try:
                found = _find(value, key)
            except Unfit as unfit:
                raise ExpressionFailed(f"{text}: {unfit}") from None
            if found is not _ABSENT:
                value = found
            elif is_optional:
                return None
            else:
                raise ValueMissing(complaint(value, key))
        return value

    return read


def absence(owner: str, key_text: str) -> Callable[[Any, Any], str]:
    """Make the message for a chain that ends at `owner`, both texts as written in the source."""

    def complaint(value: Any, key: Any) -> str:
        start = f"{owner} is null and" if kind_of(value) == "null" else owner
        if key_text == key:
            advice = f"use .?{key_text} or default() if it may be missing"
            return f'{start} has no field "{key_text}"; {advice}'
        noun = "item" if kind_of(value) == "list" else "field"
        return f"{start} has no {noun} [{key_text}]; use default() if it may be missing"

    return complaint


def _find(value: Any, key: Any) -> Any:
    kind = kind_of(value)
    if kind == "map":
        return _find_field(value, key)
    if kind == "list":
        return _find_item(value, key)
    if kind == "null":
        return _ABSENT
    raise Unfit(f"{described(value)} has no fields or items")


def _find_field(fields: Any, key: Any) -> Any:
    if kind_of(key) != "string":
        raise Unfit(f"a map is read with a string, not {described(key)}")
    try:
        return fields[key]
    except KeyError:
        return _ABSENT


def _find_item(items: Any, key: Any) -> Any:
    index = as_integer(key)
    if index is None:
        raise Unfit(f"a list is read with a whole number from 0, not {described(key)}")
    return items[index] if 0 <= index < len(items) else _ABSENT
