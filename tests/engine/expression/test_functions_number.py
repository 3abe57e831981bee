"""Proves the functions on numbers and lists of numbers."""

from __future__ import annotations

import pytest

from tests.engine.expression.cases import failure_of, value_of


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("round(2.5)", 3),
        ("round(-2.5)", -3),
        ("round(1.005, 2)", 1.01),
        ("round(7)", 7),
        ("round(7, 2)", 7),
        ("round(1e300)", 1e300),
        ("round(1.5e-300, 15)", 0.0),
        ("sum([1, 2])", 3),
        ("sum([1, 0.5])", 1.5),
        ("sum([])", 0),
        ("min(2, 1.5)", 1.5),
        ("max([1, 3, 2])", 3),
        ("[2, 1].min()", 1),
        ("max('a', 'b')", "b"),
        ("max(['x'])", "x"),
    ],
)
def test_a_number_function_has_its_value(source: str, value: object) -> None:
    result = value_of(source)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("round('1')", "a number is needed, not a string"),
        ("round(1.5, 16)", "a whole number from 0 to 15"),
        ("round(1.5, 0.5)", "a whole number from 0 to 15"),
        ("round(x)", "does not fit in 64 bits"),
        ("round(y)", "too large for a number"),
        ("sum([1, 'a'])", "a number is needed, not a string"),
        ("sum([9223372036854775807, 1])", "does not fit in 64 bits"),
        ("min([])", "min([]): the list is empty; test its size() first"),
        ("max(1, 'a')", "all numbers or all strings; one is a string"),
        ("max([true])", "one is a bool"),
        ("max(1)", "a list is needed, not a number"),
    ],
)
def test_a_number_function_names_what_it_needs(source: str, message: str) -> None:
    scope = {"x": 2**64, "y": float("inf")}

    assert message in failure_of(source, scope).message
