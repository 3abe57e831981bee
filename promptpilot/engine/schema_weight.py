"""Measures how much work a JSON Schema can make, before anything is checked against it.

Units: the weight of a schema is the number of schemas that are applied when it is applied once;
a reference weighs what it refers to, wherever it stands. A schema that refers to itself is
counted once for each place that does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

MAX_DEPTH: Final = 32
MAX_WEIGHT: Final = 100_000

_SINGLE = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("dependentSchemas", "patternProperties", "properties")
_DEFINITIONS = ("$defs", "definitions")
_REFERENCES = ("$ref", "$dynamicRef")


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


def _child(place: Any, name: str) -> Any:
    if isinstance(place, Mapping):
        return place.get(name)
    if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
        return place[int(name)]
    return None
