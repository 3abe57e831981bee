"""Proves the functions on lists and maps."""

from __future__ import annotations

import pytest

from tests.engine.expression.cases import failure_of, value_of


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("sort([3, 1.5, 2])", [1.5, 2, 3]),
        ("['b', 'a'].sort()", ["a", "b"]),
        ("sort([])", []),
        ("unique([1, 1.0, true, '1', null, null])", [1, True, "1", None]),
        ("unique([[1], [1.0], {'a': [1]}, {'a': [1]}, [true]])", [[1], {"a": [1]}, [True]]),
        ("unique([{'a': 1, 'b': 2}, {'b': 2, 'a': 1}])", [{"a": 1, "b": 2}]),
        ("keys({'b': 1, 'a': 2})", ["b", "a"]),
        ("{'b': 1, 'a': 2}.values()", [1, 2]),
        ("merge({'a': 1, 'b': 1}, {'b': 2}, {})", {"a": 1, "b": 2}),
    ],
)
def test_a_collection_function_has_its_value(source: str, value: object) -> None:
    assert value_of(source) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("sort([1, 'a'])", "all numbers or all strings"),
        ("sort('a')", "a list is needed, not a string"),
        ("unique({})", "a list is needed, not a map"),
        ("keys([])", "a map is needed, not a list"),
        ("values(1)", "a map is needed, not a number"),
        ("merge({}, null)", "a map is needed, not null"),
    ],
)
def test_a_collection_function_names_what_it_needs(source: str, message: str) -> None:
    assert message in failure_of(source).message


def test_functions_leave_the_scope_as_it_was() -> None:
    scope = {"l": [2, 1], "m": {"a": 1}}

    value_of("[sort(l), unique(l), merge(m, {'b': 2}), l + [3]]", scope)

    assert scope == {"l": [2, 1], "m": {"a": 1}}
