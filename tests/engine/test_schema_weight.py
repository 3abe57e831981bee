"""Proves that schemas which multiply, nest without end or reach outside are found."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.schema_weight import MAX_WEIGHT, check_weight, depth_of, effort


def doubling(times: int) -> dict[str, Any]:
    """Return a small schema that is applied 2 ** `times` times."""
    defs: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(times)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{times}": {"type": "string"}}}


def chain(length: int) -> dict[str, Any]:
    """Return a schema that refers from one definition to the next."""
    defs: dict[str, Any] = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{length}": {}}}


def nested(levels: int) -> dict[str, Any]:
    """Return a schema of lists inside lists."""
    made: dict[str, Any] = {}
    for _ in range(levels):
        made = {"items": made}
    return made


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}},
        {"$defs": {"a": {"$anchor": "x"}}, "anyOf": [{"$ref": "#x"}, {"$dynamicRef": "#y"}]},
        {"prefixItems": [{}, True], "$ref": "#/prefixItems/0", "then": {"$ref": "#/prefixItems/9"}},
        {"properties": {"$ref": {"type": "string"}, "enum": {}}, "$defs": {"a/b": {}}},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {}}},
        {"$ref": "#/$defs/a/b/c", "$defs": {"a": 1}},
        {"const": {"$ref": "https://a.example"}, "$id": "https://a.example/s"},
        {"allOf": "no list", "properties": []},
        doubling(10),
        chain(100),
        nested(32),
    ],
)
def test_schemas_as_people_write_them_are_light(schema: dict[str, Any]) -> None:
    assert check_weight(schema) is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (doubling(20), "its references multiply too much"),
        (doubling(200), "its references multiply too much"),
        (chain(3000), "its references multiply too much"),
        (nested(33), "it has more than 32 schemas inside one another"),
        ({"items": {"$ref": "other.json"}}, "`$ref` must lead into the schema itself"),
        ({"$defs": {"a": {"$dynamicRef": "x"}}}, "`$dynamicRef` must lead into the schema itself"),
        ({"items": {"$id": "a"}}, "`$id` may stand at its root alone"),
    ],
)
def test_schemas_that_make_too_much_work_are_found(schema: dict[str, Any], words: str) -> None:
    fault = check_weight(schema)

    assert fault is not None
    assert words in fault


TREE = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "items": {"$ref": "#"}}
TWICE = {"allOf": [{"properties": {"x": {"$ref": "#"}}}, {"properties": {"x": {"$ref": "#"}}}]}
LISTS = {"prefixItems": [{"$ref": "#"}], "contains": {"$ref": "#"}, "not": {"const": 1}}


@pytest.mark.parametrize(
    ("schema", "depth", "expected"),
    [
        ({}, 64, 1),
        (TREE, 0, 1),
        (TREE, 64, 129),
        (TWICE, 1, 11),
        (TWICE, 64, MAX_WEIGHT + 1),
        (LISTS, 2, 20),
        ({"$ref": "#"}, 64, 2),
        ({"enum": ["a", "b"]}, 0, 1),
        ({"enum": ["a", 1, None]}, 0, 4),
        ({"items": {"enum": [[1], "a"]}}, 1, 34),
        ({"enum": [[number] for number in range(10_000)]}, 0, MAX_WEIGHT // 2 + 1),
        (chain(900), 64, 902),
        (chain(5000), 64, MAX_WEIGHT + 1),
    ],
)
def test_the_effort_grows_with_what_is_applied_on_the_way_to_one_place(
    schema: dict[str, Any], depth: int, expected: int
) -> None:
    assert effort(schema, depth) == expected


@pytest.mark.parametrize(
    ("value", "depth"), [(1, 0), ([], 1), ({"a": [], "b": {"c": [1]}}, 3), ([[1], "x"], 2)]
)
def test_depth_counts_lists_and_objects_inside_one_another(value: Any, depth: int) -> None:
    assert depth_of(value) == depth
