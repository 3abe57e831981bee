"""Proves how expressions are built up, and that every fault is named with its position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.expression import ExpressionSyntaxError, Program, parse
from tests.engine.expression.cases import failure_of, fault_of, unhurried, value_of

_SCRAPS = (
    *("a", "$", "1", ".5", "'x'", "(", ")", "[", "]", "{", "}", ".", ".?", "?.", "?", ":", ","),
    *("+", "-", "*", "/", "%", "!", "&&", "||", "==", "<", " in ", "null", "true", "now", " "),
    *("has(", "default(", ".map(x,", ".filter(", "size(", "r'", '"""', "//", "\\"),
)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 3 - 2", 5),
        ("2 * 12 / 3 % 5", 3),
        ("1 + 2 < 4 && 2 > 1", True),
        ("1 < 2 == true", True),
        ("false || true && false", False),
        ("!true || true", True),
        ("!(true || true)", False),
        ("--1", 1),
        ("-(2) * 3", -6),
        ("true ? 1 : false ? 2 : 3", 1),
        ("false ? 1 : false ? 2 : 3", 3),
        ("(true ? [1] : [2])[0]", 1),
        ("[1, 2,]", [1, 2]),
        ("[]", []),
        ('{"a": 1, "b": [2],}', {"a": 1, "b": [2]}),
        ("{}", {}),
        ('{"if": {"in": 5}}.if.in', 5),
        ("1 in [1] && 2 in [2]", True),
    ],
)
def test_operators_bind_as_in_cel(source: str, value: object) -> None:
    assert value_of(source) == value


@pytest.mark.parametrize(
    ("source", "position", "reason"),
    [
        ("", 0, "expected a value, found the end"),
        ("1 +", 3, "expected a value, found the end"),
        ("1 2", 2, 'expected an operator or the end, found "2"'),
        ("1 'a'", 2, "found a string"),
        ("a ? 1", 5, 'expected ":"'),
        ("(1", 2, 'expected ")"'),
        ("[1 2]", 3, 'expected "," or "]"'),
        ("size(1 2)", 7, 'expected "," or ")"'),
        ('{"a" 1}', 5, "after the key"),
        ('{"a": 1 "b": 2}', 8, 'expected "," or "}"'),
        ("a.", 2, "a field name"),
        ("a.$", 2, "a field name"),
        ("$..a", 2, 'write ["..."]'),
        ("a[*]", 2, "wildcards"),
        ("a[:2]", 2, "slices"),
        ("$[?(@.a)]", 2, "filters"),
        ("in", 0, '"in" needs a value'),
        ("a.nope()", 2, "no function nope()"),
        ("matches(a, 'x')", 0, "glob(text, pattern), contains"),
        ("a.matches('x')", 2, "regular expressions are not supported"),
        ("lower()", 0, "use lower(text)"),
        ("lower(a, b)", 0, "use lower(text)"),
        ("has(1)", 0, "use has(value.field)"),
        ("has(a, b)", 0, "use has(value.field)"),
        ("default(a)", 0, "use default(value, otherwise)"),
        ("a.map(x)", 2, "list.map(item, condition, expression of item)"),
        ("a.all(1, true)", 2, "use list.all(item, expression of item)"),
        ("a.filter(x, y, z)", 2, "use list.filter"),
        ("all(a, x, true)", 0, "use list.all"),
    ],
)
def test_a_fault_is_named_where_it_stands(source: str, position: int, reason: str) -> None:
    fault = fault_of(source)

    assert reason in fault.message
    assert fault.position == position
    assert fault.error_code == "EXPRESSION_SYNTAX"
    assert fault.code == "INVALID_INPUT"


@pytest.mark.parametrize(
    "source",
    [
        "(" * 2000,
        "[" * 2000,
        "!" * 4000 + "true",
        "-" * 4000 + "a",
        "size(" * 400 + "1" + ")" * 400,
        "a" + ".trim()" * 500,
        "a?" * 1000,
        "1 ? 1 : " * 500 + "1",
        "[1].map(x, " * 100 + "1" + ")" * 100,
        "a" + "[a" * 1000,
        '{"a":' * 500,
        "(a." + "b.trim()." * 70 + "c)",
    ],
)
def test_deep_nesting_is_refused_before_it_costs_anything(source: str) -> None:
    assert fault_of(source).error_code == "EXPRESSION_BUDGET"


def test_a_source_of_more_than_four_kilobytes_is_refused() -> None:
    longest = "'" + "é" * 2047 + "'"

    assert value_of(longest) == "é" * 2047
    assert fault_of(longest + " ").error_code == "EXPRESSION_BUDGET"


def test_long_flat_chains_are_not_deep() -> None:
    scope = {"a": {"b": 1}}

    assert value_of(" || ".join(["a.b == 2"] * 200 + ["true"]), scope) is True
    assert value_of(" + ".join(["a.b"] * 500), scope) == 500


def test_a_program_is_parsed_once() -> None:
    assert parse("1 + 41") is parse("1 + 41")


@unhurried
@given(st.text())
def test_any_text_parses_or_is_a_syntax_error(source: str) -> None:
    _parse_or_refuse(source)


_HEAPS = st.lists(st.sampled_from(_SCRAPS), max_size=40).map("".join)


@unhurried
@given(_HEAPS)
def test_any_heap_of_tokens_parses_or_is_a_syntax_error(source: str) -> None:
    _parse_or_refuse(source)


def _parse_or_refuse(source: str) -> None:
    try:
        position = len(Program(source).source)
    except ExpressionSyntaxError as fault:
        position = fault.position

    assert 0 <= position <= len(source)


def test_a_failure_quotes_a_long_expression_in_part() -> None:
    failure = failure_of("'a' * " + "1" * 18 + " * 1" * 50)

    assert "…: * does not work" in failure.message
    assert len(failure.message) < 200
