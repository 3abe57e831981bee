"""Proves how names, fields and items are read, and what absence means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from promptpilot.engine.expression import ValueMissing, parse
from tests.engine.expression.cases import failure_of, value_of

_SCOPE: Final[dict[str, Any]] = {
    "input": {"n": 3, "list": [10, {"a": None}], "key": "n", "odd key": 1, "nil": None},
    "steps": {"draft": {"output": None}},
    "payload": {"a": {"b": [7]}},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("input.n", 3),
        ("input['odd key']", 1),
        ("input[input.key]", 3),
        ("input.list[0]", 10),
        ("input.list[0.0]", 10),
        ("input.list[1].a", None),
        ("$.a.b[0]", 7),
        ("$['a']", {"b": [7]}),
        ("input.?n", 3),
        ("input?.n", 3),
        ("input.?zz", None),
        ("input?.zz.b[0].c", None),
        ("steps.draft.output.?text", None),
        ("steps.?other.output.text", None),
        ("input.?list[7]", None),
        ("input.?list[1].a", None),
        ("has(input.n)", True),
        ("has(input.nil)", True),
        ("has(input.zz)", False),
        ("has(input.zz.b)", False),
        ("has(input.?zz)", False),
        ("has(input.list[1])", True),
        ("has(input.list[2])", False),
        ("has(zz)", False),
        ("has(input)", True),
        ("default(input.n, 1)", 3),
        ("default(input.nil, 1)", 1),
        ("default(input.zz.b, 1)", 1),
        ("default(input.list[9], 1)", 1),
        ("default(zz, 1)", 1),
        ("input.zz.default('x')", "x"),
        ("default(input.zz, default(input.yy, 2))", 2),
    ],
)
def test_a_chain_leads_to_its_value(source: str, value: object) -> None:
    assert value_of(source, _SCOPE) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("zz", 'unknown name "zz"'),
        (
            "steps.draft.txt",
            'steps.draft has no field "txt"; use .?txt or default() if it may be missing',
        ),
        ("steps.draft.output.text", 'steps.draft.output is null and has no field "text"; use .?'),
        ("(steps.draft) .txt", '(steps.draft) has no field "txt"'),
        ("input.list[2]", "input.list has no item [2]; use default() if it may be missing"),
        ("input.list[-1]", "input.list has no item [-1]"),
        ("input['zz']", "input has no field ['zz']; use default()"),
        ("input.nil[0]", "input.nil is null and has no field [0]"),
    ],
)
def test_absence_names_the_field_and_the_way_out(source: str, message: str) -> None:
    failure = failure_of(source, _SCOPE)

    assert failure.message.startswith(message)
    assert isinstance(failure, ValueMissing)
    assert failure.error_code == "EXPRESSION_ERROR"
    assert not failure.is_retryable


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("input.n.x", "input.n.x: a number has no fields or items"),
        ("input.?n.x", "input.?n.x: a number has no fields or items"),
        ("default(input.n.x, 1)", "input.n.x: a number has no fields"),
        ("'abc'[0]", "'abc'[0]: a string has no fields or items"),
        ("input[0]", "input[0]: a map is read with a string, not a number"),
        ("input.list.a", "input.list.a: a list is read with a whole number from 0, not a string"),
        ("input.list[0.5]", "input.list[0.5]: a list is read with a whole number"),
        ("input.list[true]", "input.list[true]: a list is read with a whole number"),
    ],
)
def test_reading_into_the_wrong_kind_fails_even_if_guarded(source: str, message: str) -> None:
    failure = failure_of(source, _SCOPE)

    assert failure.message.startswith(message)
    assert not isinstance(failure, ValueMissing)


class _Lazy(Mapping[str, Any]):
    """A scope that makes its values when they are read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise KeyError(key)
        self.read.append(key)
        return {"n": 1, "inner": _Lazy(), "pair": (1, 2), "text": _Text("t")}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("n", "inner", "pair", "text"))

    def __contains__(self, key: object) -> bool:
        return key in {"n", "inner", "pair", "text"}

    def __len__(self) -> int:
        return 4


class _Text(str):
    """A string with a name of its own, such as an enumeration's member."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("inner.n", 1),
        ("inner.inner.n + n", 2),
        ("default(inner.zz, 5)", 5),
        ("inner.inner.pair", [1, 2]),
        ("inner.pair[1]", 2),
        ("text == 't' && text in ['t']", True),
        ("{'a': inner.text}", {"a": "t"}),
        ("text", "t"),
        ("inner.map(k, k)", ["n", "inner", "pair", "text"]),
        ("{'x': pair.map(p, p)}", {"x": [1, 2]}),
        ("sort(pair) == [1, 2] && keys(inner) == ['n', 'inner', 'pair', 'text']", True),
        ("lower(text) + text", "tt"),
    ],
)
def test_a_scope_may_be_lazy_and_results_are_plain(source: str, value: object) -> None:
    result = value_of(source, _Lazy())

    assert result == value
    assert "_" not in type(result).__name__


def test_a_mapping_in_a_result_becomes_a_plain_map() -> None:
    class _One(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return {"a": [_Text("x"), None, 1.5]}[key]

        def __iter__(self) -> Iterator[str]:
            return iter(("a",))

        def __len__(self) -> int:
            return 1

    result = value_of("[one]", {"one": _One()})

    assert result == [{"a": ["x", None, 1.5]}]
    assert type(result[0]) is dict
    assert type(result[0]["a"][0]) is str


def test_only_what_is_needed_is_read_from_a_lazy_scope() -> None:
    scope = _Lazy()

    parse("false && inner.n == 1 || n == 1").evaluate(scope)

    assert scope.read == ["n"]


def test_data_that_is_not_json_is_an_error() -> None:
    failure = failure_of("x == 1", {"x": {1, 2}})

    assert failure.message == "the data holds a value that JSON does not know"
    assert failure_of("x", {"x": object()}).error_code == "EXPRESSION_ERROR"


def test_now_is_the_given_moment_in_utc() -> None:
    assert value_of("now") == "2026-03-08T09:30:00.000005Z"
    assert value_of("now()") == value_of("now")
    assert value_of("now > '2026-03-08T09:30:00.000004Z'") is True


@pytest.mark.parametrize("source", ["now", "now()"])
def test_now_fails_where_there_is_no_moment(source: str) -> None:
    with pytest.raises(Exception, match="now is not known here"):
        parse(source).evaluate({})
