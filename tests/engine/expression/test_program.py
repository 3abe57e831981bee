"""Proves that evaluation is total, bounded and deterministic, whatever the source and the data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptpilot.engine.expression import (
    ExpressionFailed,
    ExpressionSyntaxError,
    Program,
    evaluate_boolean,
    parse,
)
from tests.engine.expression.cases import NOW, failure_of, value_of
from tests.engine.expression.generator import SCOPE, Generator

_MEGABYTE = 1024 * 1024


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


_LARGE: dict[str, Any] = {
    "thousand": list(range(1000)),
    "many": list(range(60_000)),
    "text": "x" * _MEGABYTE,
    "half": "é" * (_MEGABYTE // 4 + 1),
    "marks": "a?" * 2000,
    "deep": _nested(129),
    "deeper": _nested(3000),
    "fields": {str(number): number for number in range(60_000)},
    "more": {f"x{number}": number for number in range(60_000)},
    "braces": "[" * 100_000,
    "brackets": "[" * 200 + "]" * 200,
}


@pytest.mark.parametrize(
    "source",
    [
        "thousand.map(a, thousand.map(b, thousand.map(c, a * b * c)))",
        "[1,2,3,4,5,6,7,8,9,10]" + ".map(x, [x, x, x, x, x, x, x, x, x, x])" * 40,
        "['x']" + ".map(s, s + s)" * 30,
        "[[1]]" + ".map(s, s + s)" * 30,
        "many + many",
        "text + 'y'",
        "half + half",
        "thousand.map(x, text.contains('y'))",
        "thousand.all(x, text == text + '')",
        "text.replace('x', 'xxxxxxxxxx')",
        "text.replace('', 'yy')",
        "text.split('')",
        "split(text, 'x')",
        "[text, text].join()",
        "many.map(x, text).join()",
        "many.map(x, text)",
        "json(many.map(x, text))",
        "json([text])",
        "thousand.map(x, json(many))",
        "many.exists(x, many == many + [])",
        "thousand.map(x, unique(many))",
        "thousand.map(x, sort(many))",
        "thousand.map(x, sum(many))",
        "thousand.map(x, x in many)",
        "thousand.map(x, keys(fields))",
        "thousand.map(x, values(fields))",
        "merge(fields, more)",
        "thousand.map(x, lower(text))",
        "thousand.map(x, upper(text))",
        "thousand.map(x, trim(text))",
        "thousand.map(x, text.startsWith(text))",
        "thousand.map(x, text.endsWith(text))",
        "thousand.map(x, text < text)",
        "thousand.map(x, text.glob('*y*'))",
        "thousand.map(x, marks.glob('*??????????y*'))",
        "text.glob('*?y*')",
        "thousand.map(x, parseJson(json(thousand)))",
        "parseJson(braces)",
        "parseJson(brackets)",
        "parseJson('[' + many.map(x, '0').join(',') + ',' + many.map(x, '0').join(',') + ']')",
        "deep",
        "deeper",
        "json(deep)",
        "unique([deeper])",
        "[many, many]",
        "[fields, many]",
    ],
)  # fmt: skip
def test_a_bomb_is_stopped_by_a_budget(source: str) -> None:
    failure = failure_of(source, _LARGE)

    assert failure.error_code == "EXPRESSION_BUDGET"


@pytest.mark.parametrize("source", ["many == many", "deeper == deeper", "text == text", "text"])
def test_large_data_may_be_compared_and_passed_on_once(source: str) -> None:
    assert value_of(source, _LARGE) in {True, "x" * _MEGABYTE}


def test_data_nested_too_deeply_for_python_may_still_be_read() -> None:
    assert value_of("deeper[0][0] != deeper && size(deeper) == 1", _LARGE) is True


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abns"), inner, max_size=4)
    ),
    max_leaves=15,
)
_LEAVES = st.sampled_from(
    ["x", "x.a", "x.?b", "x[0]", "y", "y.n", "$.s", "i", "1", "0", "-2", "1.5", "1e308", "'a'",
     "''", "null", "true", "false", "now", "9223372036854775807", "[x, y]", "{'a': x}", "{}", "[]"]
)  # fmt: skip
_UNARY_FORMS = (
    "!({0})", "-({0})", "({0}).a", "({0}).?n", "({0})[0]", "({0})['a']", "lower({0})", "upper({0})",
    "trim({0})", "size({0})", "json({0})", "parseJson({0})", "string({0})", "number({0})",
    "int({0})", "bool({0})", "type({0})", "round({0})", "min({0})", "max({0})", "sum({0})",
    "sort({0})", "unique({0})", "keys({0})", "values({0})", "has(({0}).a)", "({0}).join()",
)  # fmt: skip
_BINARY_FORMS = (
    "({0}) + ({1})", "({0}) - ({1})", "({0}) * ({1})", "({0}) / ({1})", "({0}) % ({1})",
    "({0}) == ({1})", "({0}) < ({1})", "({0}) >= ({1})", "({0}) in ({1})", "({0}) && ({1})",
    "({0}) || ({1})", "({0})[{1}]", "({0}).map(i, {1})", "({0}).filter(i, {1})",
    "({0}).all(i, {1})", "({0}).exists_one(i, {1})", "default({0}, {1})", "split({0}, {1})",
    "join({0}, {1})", "contains({0}, {1})", "startsWith({0}, {1})", "glob({0}, {1})",
    "merge({0}, {1})", "max({0}, {1})", "round({0}, {1})", "({0}) ? ({1}) : ({0})",
    "replace({0}, {1}, {0})", "{{string({0}): {1}}}",
)  # fmt: skip
_SOURCES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.builds(str.format, st.sampled_from(_UNARY_FORMS), inner)
        | st.builds(str.format, st.sampled_from(_BINARY_FORMS), inner, inner)
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(_SOURCES, _VALUES, _VALUES)
def test_evaluation_gives_json_or_an_expression_failure(source: str, x: Any, y: Any) -> None:
    scope = {"x": x, "y": y, "payload": {"s": "text"}}

    try:
        outcome = json.dumps(Program(source).evaluate(scope, NOW), allow_nan=False)
    except (ExpressionFailed, ExpressionSyntaxError) as failed:
        outcome = failed.error_code

    assert outcome != "EXPRESSION_SYNTAX"


@pytest.mark.parametrize("seed", range(3))
def test_the_same_expression_on_the_same_data_gives_the_same(seed: int) -> None:
    generator = Generator(1000 + seed)
    sources = [generator.expression() for _ in range(300)]

    first = [_outcome(source) for source in sources]

    assert [_outcome(source) for source in sources] == first


def _outcome(source: str) -> str:
    try:
        return json.dumps(Program(source).evaluate(SCOPE))
    except ExpressionFailed as failure:
        return failure.message


def test_a_condition_is_a_boolean() -> None:
    assert evaluate_boolean(parse("1 < 2"), {}) is True
    assert evaluate_boolean(parse("x"), {"x": False}) is False


@pytest.mark.parametrize("source", ["1", "null", "'true'", "[]"])
def test_a_condition_that_is_not_a_boolean_is_a_type_failure(source: str) -> None:
    with pytest.raises(ExpressionFailed) as caught:
        evaluate_boolean(parse(source), {})

    assert caught.value.error_code == "EXPRESSION_TYPE"
    assert "the condition must be true or false" in caught.value.message


def test_no_failure_quotes_the_data() -> None:
    scope = {"input": {"secret": "hunter2"}}
    sources = ["input.secret.x", "input.secret + 1", "input[input.secret]", "number(input.secret)"]

    messages = [failure_of(source, scope).message for source in sources]

    assert not any("hunter2" in message for message in messages)
