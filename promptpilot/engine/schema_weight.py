"""Measures how much work a JSON Schema can make, before anything is checked against it.

Units: the weight of a schema is the number of schemas that are applied when it is applied once;
a reference weighs what it refers to, wherever it stands. A schema that refers to itself is
counted once for each place that does. Its effort is the number of schemas that are applied on
the way to any one place of a value, so schemas that refer to themselves count at every level,
and so do the members of an `enum` that are compared one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

MAX_DEPTH: Final = 32
MAX_WEIGHT: Final = 100_000

_HERE = ("else", "if", "not", "then")
_CHOICES = ("allOf", "anyOf", "oneOf")
_SINGLE = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("dependentSchemas", "patternProperties", "properties")
_DEFINITIONS = ("$defs", "definitions")
_Names = tuple[str, ...]
#: What is applied inside an object, then inside a list: one for each place, and what comes besides.
_INSIDE: Final[tuple[tuple[_Names, _Names], ...]] = (
    (
        ("properties", "additionalProperties"),
        ("patternProperties", "propertyNames", "unevaluatedProperties"),
    ),
    (("prefixItems", "items"), ("contains", "unevaluatedItems")),
)
_REFERENCES = ("$ref", "$dynamicRef")
#: How many times longer it takes to compare a list or an object than to apply a schema.
_COMPARING = 16


def check_weight(schema: Mapping[str, Any]) -> str | None:
    """Return why a schema is too large or reaches outside itself; None if it does not."""
    for each, depth in _all(schema):
        if depth > MAX_DEPTH:
            return f"it has more than {MAX_DEPTH} schemas inside one another"
        if depth > 0 and "$id" in each:
            return "`$id` may stand at its root alone"
        for name in _REFERENCES:
            target = each.get(name)
            if isinstance(target, str) and not target.startswith("#"):
                return f"`{name}` must lead into the schema itself, such as `#/$defs/…`"
    try:
        is_heavy = _Scale(schema).weigh(schema) > MAX_WEIGHT
    except RecursionError:
        is_heavy = True
    return "its references multiply too much" if is_heavy else None


def effort(schema: Mapping[str, Any], depth: int) -> int:
    """Return the effort for a value of so many levels, at most a little more than `MAX_WEIGHT`."""
    try:
        return _Scale(schema).effort(schema, depth)
    except RecursionError:
        return MAX_WEIGHT + 1


def depth_of(value: Any) -> int:
    """Return how many lists and objects lie inside one another."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, list | dict)]:
        depth += 1
        level = [
            child for each in level for child in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _all(schema: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Yield every schema in a schema, with how deep it lies."""
    waiting = [(schema, 0)]
    while waiting:
        each, depth = waiting.pop()
        yield each, depth
        if depth <= MAX_DEPTH:
            inner = [*_inner(each), *_in_maps(each, _DEFINITIONS)]
            waiting.extend((child, depth + 1) for child in inner)


def _inner(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas that are applied with a schema, by what it has itself."""
    for name in _SINGLE:
        if isinstance(child := schema.get(name), Mapping):
            yield child
    for name in _LISTS:
        children = schema.get(name)
        if isinstance(children, list):
            yield from (each for each in children if isinstance(each, Mapping))
    yield from _in_maps(schema, _MAPS)


def _here(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas that are applied to the same value as a schema."""
    yield from _named(schema, (*_HERE, *_CHOICES, "dependentSchemas"))


def _named(schema: Mapping[str, Any], names: _Names) -> Iterator[Mapping[str, Any]]:
    for name in names:
        yield from _inner({name: schema[name]} if name in schema else {})


def _in_maps(schema: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for name in names:
        children = schema.get(name)
        if isinstance(children, Mapping):
            yield from (each for each in children.values() if isinstance(each, Mapping))


class _Scale:
    """Weighs the schemas inside one root."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._anchors = {
            f"#{each[name]}": each
            for each, _ in _all(root)
            for name in ("$anchor", "$dynamicAnchor")
            if isinstance(each.get(name), str)
        }
        self._known: dict[int, int] = {}
        self._efforts: dict[tuple[int, int], int] = {}

    def weigh(self, schema: Mapping[str, Any]) -> int:
        """Return the weight, at most a little more than allowed."""
        known = self._known.get(id(schema))
        if known is not None:
            return known
        self._known[id(schema)] = 1  # what leads back here
        weight = 1
        for each in (*_inner(schema), *self._referred(schema)):
            weight = min(MAX_WEIGHT + 1, weight + self.weigh(each))
        self._known[id(schema)] = weight
        return weight

    def effort(self, schema: Mapping[str, Any], depth: int) -> int:
        """Return the effort for a value of `depth` levels, a little more than allowed at most."""
        key = id(schema), depth
        known = self._efforts.get(key)
        if known is not None:
            return known
        self._efforts[key] = 1  # what leads back here without going deeper
        total = 1 + _compared(schema)
        for each in (*_here(schema), *self._referred(schema)):
            total = min(MAX_WEIGHT + 1, total + self.effort(each, depth))
        if depth:
            inside = max(self._inside(schema, depth - 1, *each) for each in _INSIDE)
            total = min(MAX_WEIGHT + 1, total + inside)
        self._efforts[key] = total
        return total

    def _inside(
        self, schema: Mapping[str, Any], depth: int, one_of: _Names, besides: _Names
    ) -> int:
        """Return the effort inside an object or a list: of `one_of`, one stands for each place."""
        efforts = [self.effort(each, depth) for each in _named(schema, one_of)]
        return max(efforts, default=0) + sum(
            self.effort(each, depth) for each in _named(schema, besides)
        )

    def _referred(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for name in _REFERENCES:
            target = schema.get(name)
            if isinstance(target, str) and isinstance(found := self._at(target), Mapping):
                yield found

    def _at(self, target: str) -> Any:
        if not target.startswith("#/"):
            return self._root if target == "#" else self._anchors.get(target)
        place: Any = self._root
        for part in target[2:].split("/"):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            place = _child(place, name)
        return place


def _compared(schema: Mapping[str, Any]) -> int:
    """Return the effort of the members of an `enum`; texts alone, or numbers, are looked up."""
    members = schema.get("enum")
    if not isinstance(members, list):
        return 0
    if any(isinstance(each, list | dict) for each in members):
        return min(MAX_WEIGHT // 2, _COMPARING * len(members))
    return len(members) if len({isinstance(each, str) for each in members}) > 1 else 0


def _child(place: Any, name: str) -> Any:
    if isinstance(place, Mapping):
        return place.get(name)
    if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
        return place[int(name)]
    return None
