"""Proves arithmetic, comparison, equality and membership on JSON values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.expression.cases import failure_of, unhurried, value_of

_INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("6 / 2", 3),
        ("7 / 2", 3.5),
        ("-7 / 2", -3.5),
        ("1.0 / 4", 0.25),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("7.0 % 2", 1),
        ("1 + 1.5", 2.5),
        ("2 * 1.5", 3.0),
        ("1 - 0.5", 0.5),
        ("'a' + 'b'", "ab"),
        ("[1] + ['a']", [1, "a"]),
        ("1 == 1.0", True),
        ("1 == true", False),
        ("[1, {'a': 1}] == [1.0, {'a': 1.0}]", True),
        ("[true] == [1]", False),
        ("[1] == [1, 2]", False),
        ("{'a': 1} == {'b': 1}", False),
        ("{'a': 'x'} == {'a': 'y'}", False),
        ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True),
        ("null == null && null != 0", True),
        ("1 < 1.5 && 'a' < 'b' && false < true", True),
        ("2 >= 2 && 2 <= 2.0 && 3 > 2", True),
        ("1.0 in [1]", True),
        ("3 in [1]", False),
        ("'a' in {'a': null}", True),
    ],
)
def test_operators_work_on_json_values(source: str, value: object) -> None:
    result = value_of(source)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "1 / 0: division by zero"),
        ("1 % 0.0", "1 % 0.0: division by zero"),
        ("1.5 % 1", "1.5 % 1: % does not work on a number and a number; it takes whole numbers"),
        ("9223372036854775807 + 1", "the integer does not fit in 64 bits"),
        ("-9223372036854775808 / -1", "the integer does not fit in 64 bits"),
        ("-(-9223372036854775808)", "the integer does not fit in 64 bits"),
        ("1e308 * 10", "1e308 * 10: the result is too large for a number"),
        ("1e308 + 1e308 - 1e308", "1e308 + 1e308 - 1e308: the result is too large"),
        ("'a' + 1", "+ does not work on a string and a number; convert with string() or number()"),
        ("1 + true", "+ does not work on a number and a bool"),
        ("'a' * 2", "* does not work on a string and a number; convert with number()"),
        ("1 - null", "- does not work on a number and null"),
        ("1 < 'a'", "1 < 'a': < does not work on a number and a string"),
        ("[1] < [2]", "< does not work on a list and a list"),
        ("'a' in 'abc'", "use contains()"),
        ("1 in {'a': 1}", "in asks a map for a string, not a number"),
        ("-'a'", "'a' must be a number, not a string"),
        ("!1", "1 must be true or false, not a number"),
        ("1 && true", "1 must be true or false"),
        ("true && 'x'", "'x' must be true or false, not a string"),
        ("false || null", "null must be true or false, not null"),
        ("1 ? 2 : 3", "1 must be true or false"),
        ("{1: 2}", "1: the keys of a map are strings, not a number"),
        ("x + 1.5", "x + 1.5: int too large"),
        ("x + 1", "x + 1: the integer does not fit"),
        ("sum([1.5, x])", "sum([1.5, x]): int too large"),
    ],
)
def test_what_has_no_value_fails_and_says_why(source: str, message: str) -> None:
    failure = failure_of(source, {"x": 10**400})

    assert message in failure.message
    assert failure.error_code == "EXPRESSION_ERROR"


@pytest.mark.parametrize("source", ["false && 1", "true || 1", "false && zz", "true || 1 / 0 == 1"])
def test_logic_stops_at_the_deciding_operand(source: str) -> None:
    assert value_of(source) is source.startswith("true")


@unhurried
@given(_INTEGERS, _INTEGERS)
def test_integers_are_exact_or_refused(left: int, right: int) -> None:
    scope = {"a": left, "b": right}

    for sign, exact in (("+", left + right), ("-", left - right), ("*", left * right)):
        if -(2**63) <= exact < 2**63:
            assert value_of(f"a {sign} b", scope) == exact
        else:
            assert "64 bits" in failure_of(f"a {sign} b", scope).message


@unhurried
@given(_INTEGERS, _INTEGERS.filter(bool))
def test_a_remainder_has_the_sign_of_what_is_divided(left: int, right: int) -> None:
    rest = value_of("a % b", {"a": left, "b": right})

    assert abs(rest) < abs(right)
    assert (left - rest) % right == 0
    assert rest == 0 or (rest < 0) == (left < 0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.text("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)


@unhurried
@given(_JSON, _JSON)
def test_equality_tells_booleans_from_numbers_and_nothing_else_apart(left: Any, right: Any) -> None:
    scope = {"a": left, "b": right}

    assert value_of("a == b", scope) is (_tagged(left) == _tagged(right))
    assert value_of("a != b", scope) is (_tagged(left) != _tagged(right))


def _tagged(value: Any) -> Any:
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    if isinstance(value, dict):
        return {key: _tagged(item) for key, item in value.items()}
    return value
