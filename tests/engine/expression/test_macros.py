"""Proves the macros over lists and maps, and where their variables are seen."""

from __future__ import annotations

import pytest

from tests.engine.expression.cases import failure_of, value_of

_SCOPE = {"input": {"l": [1, 2, 3], "rows": [{"k": 1, "w": ["a"]}, {"k": 2, "w": ["b", "c"]}]}}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("input.l.all(x, x > 0)", True),
        ("input.l.all(x, x > 1)", False),
        ("[].all(x, 1)", True),
        ("input.l.exists(x, x == 2)", True),
        ("input.l.exists(x, x == 9)", False),
        ("input.l.exists_one(x, x > 2)", True),
        ("input.l.exists_one(x, x > 1)", False),
        ("input.l.filter(x, x != 2)", [1, 3]),
        ("input.l.map(x, x * 2)", [2, 4, 6]),
        ("input.l.map(x, x > 1, x * 2)", [4, 6]),
        ("{'a': 1, 'b': 2}.map(k, k)", ["a", "b"]),
        ("{'a': 1, 'b': 2}.filter(k, k == 'b')", ["b"]),
        ("input.rows.map(r, r.w.map(w, w + string(r.k)))", [["a1"], ["b2", "c2"]]),
        ("input.l.map(x, [10].map(x, x)[0] + x)", [11, 12, 13]),
        ("input.l.map(input, input + 1)", [2, 3, 4]),
        ("[1].map(now, now)", [1]),
        ("[[1, 2], [3]].map(x, x.filter(y, y > 1).map(z, z + size(x)))", [[4], [4]]),
        ("input.l.filter(x, x > 1).map(y, y).exists(x, x == 3)", True),
    ],
)
def test_a_macro_goes_over_items_or_keys(source: str, value: object) -> None:
    assert value_of(source, _SCOPE) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("5.map(x, x)", "5.map(x, x): a list or a map is needed, not a number"),
        ("null.all(x, true)", "a list or a map is needed, not null"),
        ("[1].filter(x, x)", "x must be true or false, not a number"),
        ("[1].map(x, 1, x)", "1 must be true or false"),
        ("[1].map(x, x) == [x]", 'unknown name "x"'),
        ("[1].map(x, x / 0)", "x / 0: division by zero"),
    ],
)
def test_a_macro_fails_by_name(source: str, message: str) -> None:
    assert message in failure_of(source).message


def test_all_and_exists_stop_at_the_deciding_item() -> None:
    assert value_of("[0, 1, 'x'].exists(x, x > 0)") is True
    assert value_of("[1, 0, 'x'].all(x, x > 0)") is False
