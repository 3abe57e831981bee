"""What JSON values are to expressions: their kinds, their equality, their text, their limits.

Rules: a boolean is never a number; 1 and 1.0 are equal; nothing here recurses deeper than
`MAX_VALUE_DEPTH`, however deep the data is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from promptpilot.engine.expression.failures import ExpressionFailed, over_budget
from promptpilot.engine.expression.limits import (
    CHARACTERS_PER_STEP,
    MAX_RESULT_CHARACTERS,
    MAX_RESULT_NODES,
    MAX_TEXT_BYTES,
    MAX_VALUE_DEPTH,
)
from promptpilot.engine.expression.run import Run, bounded_text

_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "bool",
    int: "number",
    float: "number",
    str: "string",
    list: "list",
    dict: "map",
}
_ABSTRACT_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (str, "string"),
    (Mapping, "map"),
    (list, "list"),
    (tuple, "list"),
)
_SIMPLE: Final = frozenset({type(None), bool, int, str})
_NUMBERS: Final = frozenset({int, float})


def kind_of(value: Any) -> str:
    """Name the kind of a value: null, bool, number, string, list or map."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    for abstract, name in _ABSTRACT_KINDS:
        if isinstance(value, abstract):
            return name
    raise ExpressionFailed("the data holds a value that JSON does not know")


def described(value: Any) -> str:
    """Name the kind of a value as a phrase: `a number`, `null`."""
    kind = kind_of(value)
    return kind if kind == "null" else f"a {kind}"


def is_number(value: Any) -> bool:
    """Tell whether a value is a number; booleans are not."""
    return type(value) in _NUMBERS


def as_integer(value: Any) -> int | None:
    """Take a whole number, be it written 2 or 2.0; None for everything else."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    return None


def are_equal(run: Run, left: Any, right: Any) -> bool:
    """Compare two values by JSON equality; large ones cost steps."""
    kind = type(left)
    if kind is type(right) and kind in _SIMPLE:
        if kind is str and len(left) == len(right) > CHARACTERS_PER_STEP:
            run.charge_text(len(left))
        return bool(left == right)
    return _are_equal_deep(run, left, right)


def _are_equal_deep(run: Run, left: Any, right: Any) -> bool:
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        kind = kind_of(one)
        if kind != kind_of(other):
            return False
        if kind not in {"list", "map"}:
            run.charge_text(len(one) if kind == "string" else 0)
            if one != other:
                return False
            continue
        if len(one) != len(other):
            return False
        run.charge(len(one) + 1)
        if kind == "list":
            pairs.extend(zip(one, other, strict=True))
        elif all(key in other for key in one):
            pairs.extend((one[key], other[key]) for key in one)
        else:
            return False
    return True


def is_among(run: Run, wanted: Any, items: Iterable[Any]) -> bool:
    """Tell whether one of the items equals the wanted value."""
    for item in items:
        run.charge(1)
        if are_equal(run, item, wanted):
            return True
    return False


def identity(run: Run, value: Any) -> Any:
    """Make a hashable stand-in that is equal for equal JSON values; costs a step a node."""
    settled(value)
    return _identity(run, value)


def _identity(run: Run, value: Any) -> Any:
    run.charge(1)
    kind = kind_of(value)
    if kind == "list":
        return (kind, *(_identity(run, item) for item in value))
    if kind == "map":
        return (kind, frozenset((key, _identity(run, item)) for key, item in value.items()))
    run.charge_text(len(value) if kind == "string" else 0)
    return (kind, value)


def json_text(value: Any) -> str:
    """Write a value as compact JSON, fields in their order; raise ExpressionFailed over a limit."""
    plain = settled(value, MAX_TEXT_BYTES)
    return bounded_text(json.dumps(plain, ensure_ascii=False, separators=(",", ":")))


def display_text(value: Any) -> str:
    """Write a value as a template shows it: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else json_text(value)


def settled(value: Any, max_characters: int = MAX_RESULT_CHARACTERS) -> Any:
    """Hand back a value as plain finite JSON within the limits, or raise ExpressionFailed."""
    if type(value) in _SIMPLE and type(value) is not str:
        return value
    survey = _Survey(max_characters)
    survey.walk(value)
    return _plain(value) if survey.has_foreign else value


def node_count(value: Any) -> int:
    """Count a value and everything in it; raise ExpressionFailed over the limits of a result."""
    survey = _Survey(MAX_RESULT_CHARACTERS)
    survey.walk(value)
    return survey.nodes


class _Survey:
    """Walks a value without recursion and without visiting more than the limits allow."""

    __slots__ = ("_characters", "has_foreign", "nodes")

    def __init__(self, max_characters: int) -> None:
        self._characters = max_characters
        self.nodes = 0
        self.has_foreign = False

    def walk(self, value: Any) -> None:
        """Visit every value; raise ExpressionFailed at the first that may not be there."""
        level = [value]
        for _ in range(MAX_VALUE_DEPTH):
            below: list[Any] = []
            for item in level:
                self._visit(item, below)
            if not below:
                return
            level = below
        raise over_budget(f"the value is nested deeper than {MAX_VALUE_DEPTH} levels")

    def _visit(self, item: Any, below: list[Any]) -> None:
        self.nodes += 1
        kind = type(item)
        if kind is str:
            self._count_characters(len(item))
        elif kind is float:
            _refuse_infinite(item)
        elif kind not in _SIMPLE:
            self._visit_container(item, below)

    def _visit_container(self, item: Any, below: list[Any]) -> None:
        kind = kind_of(item)
        self.has_foreign |= type(item) is not list and type(item) is not dict
        if kind == "string":
            self._count_characters(len(item))
            return
        if self.nodes + len(item) + len(below) > MAX_RESULT_NODES:
            raise over_budget(f"the value has more than {MAX_RESULT_NODES} parts")
        if kind == "map":
            self._count_characters(sum(map(len, item)))
            below.extend(item.values())
        else:
            below.extend(item)

    def _count_characters(self, count: int) -> None:
        self._characters -= count
        if self._characters < 0:
            raise over_budget("the value has too much text")


def _refuse_infinite(number: float) -> None:
    if not math.isfinite(number):
        raise ExpressionFailed("a number is not finite")


def _plain(value: Any) -> Any:
    match kind_of(value):
        case "list":
            return [_plain(item) for item in value]
        case "map":
            return {key: _plain(item) for key, item in value.items()}
        case "string":
            return str(value)
        case _:
            return value
