"""Proves the functions that measure, name and convert values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.expression.cases import failure_of, unhurried, value_of


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("size('é😀')", 2),
        ("[1].size() + size({'a': 1})", 2),
        ("[null, true, 1, 1.5, 'a', [], {}].map(x, type(x))",
         ["null", "bool", "number", "number", "string", "list", "map"]),
        ("json({'b': [1, 1.5, null, true], 'a': 'é\"'})", '{"b":[1,1.5,null,true],"a":"é\\""}'),
        ("parseJson('{\"a\": [1, -2.5e1, null]}')", {"a": [1, -25.0, None]}),
        ("parseJson(' \"\\\\u00e9\" ')", "é"),
        ("string('a') + string(1) + string(true) + string(null)", "a1truenull"),
        ("string([1, 'a'])", '[1,"a"]'),
        ("number(' 12 ')", 12),
        ("number('-1.50')", -1.5),
        ("number('1e3')", 1000.0),
        ("number(7)", 7),
        ("number('007')", 7),
        ("int('12')", 12),
        ("int(-1.9)", -1),
        ("int('1.9')", 1),
        ("bool('true')", True),
        ("bool('false') || bool(false)", False),
    ],
)  # fmt: skip
def test_a_value_function_has_its_value(source: str, value: object) -> None:
    result = value_of(source)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("size(1)", "a string, list or map has a size, a number has none"),
        ("number('abc')", "the string is not a number"),
        ("number('1_0')", "not a number"),
        ("number('nan')", "not a number"),
        ("number('٣')", "not a number"),
        ("number(long)", "not a number"),
        ("number(true)", "a number or a string is needed, not a bool"),
        ("number('99999999999999999999')", "does not fit in 64 bits"),
        ("number('999999999999999999999999')", "does not fit in 64 bits"),
        ("number('1e999')", "too large for a number"),
        ("int(1e300)", "does not fit in 64 bits"),
        ("int(null)", "not null"),
        ("int(infinite)", "cannot convert float infinity"),
        ("bool('yes')", 'only a bool, "true" or "false"'),
        ("bool(1)", "only a bool"),
        ("parseJson('{')", "the string is not JSON"),
        ("parseJson('NaN')", "NaN is not JSON"),
        ("parseJson('1e999')", "too large for a number"),
        ("parseJson('123456789012345678901234')", "does not fit in 64 bits"),
        ("parseJson('\"\\\\ud800\"')", "the string is not JSON"),
        ("parseJson(1)", "a string is needed, not a number"),
        ("infinite", "a number is not finite"),
        ("json([infinite])", "a number is not finite"),
    ],
)
def test_a_value_function_names_what_it_needs(source: str, message: str) -> None:
    scope = {"long": "1" * 5000, "infinite": float("inf")}

    assert message in failure_of(source, scope).message


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@unhurried
@given(_JSON)
def test_json_and_parse_json_are_inverse(value: Any) -> None:
    assert value_of("parseJson(json(x))", {"x": value}) == value
