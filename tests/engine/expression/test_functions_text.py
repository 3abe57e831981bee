"""Proves the functions on strings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.expression.cases import failure_of, unhurried, value_of


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("lower('ÄB')", "äb"),
        ("'ä'.upper()", "Ä"),
        ("trim(' \\n a b ')", "a b"),
        ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
        ("'añ'.split('')", ["a", "ñ"]),
        ("''.split('')", []),
        ("join(['a', 1, true, 1.5], '-')", "a-1-true-1.5"),
        ("['a', 'b'].join()", "ab"),
        ("[].join(',')", ""),
        ("replace('aXbX', 'X', '--')", "a--b--"),
        ("'ab'.replace('', '.')", ".a.b."),
        ("'abc'.startsWith('ab') && !'abc'.startsWith('b')", True),
        ("endsWith('abc', 'bc') && !endsWith('abc', 'b')", True),
        ("'abc'.contains('b') && !'abc'.contains('d')", True),
        ("[1, 2].contains(2.0) && ![1].contains('1')", True),
        ("'issues.opened'.glob('issues.*')", True),
        ("'issues.opened'.glob('pulls.*')", False),
        ("'abc'.glob('abc') && !'abcd'.glob('abc') && 'abc'.glob('a?c')", True),
        ("'a-b-c'.glob('a*b*c') && 'abc'.glob('*') && ''.glob('*') && ''.glob('')", True),
        ("'abab'.glob('a?*?b') && !'ab'.glob('a?*?b')", True),
        ("'xaybz'.glob('*a?b*') && !'xayz'.glob('*a?b*') && !'xy'.glob('*b*')", True),
        ("'ab'.glob('ab*b') || 'abc'.glob('*x')", False),
        ("'a.c'.glob('a[.]c')", False),
    ],
)
def test_a_text_function_has_its_value(source: str, value: object) -> None:
    assert value_of(source) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("lower(1)", "lower(1): a string is needed, not a number"),
        ("upper(null)", "upper(null): a string is needed, not null"),
        ("split('a', 1)", "a string is needed"),
        ("join('a', ',')", "a list is needed, not a string"),
        ("join([null], ',')", "strings, numbers and bools can be joined, not null"),
        ("'a'.contains(1)", "a string is needed"),
        ("1.startsWith('a')", "a string is needed"),
        ("'a'.glob(2)", "a string is needed"),
    ],
)
def test_a_text_function_names_what_it_needs(source: str, message: str) -> None:
    assert message in failure_of(source).message


@unhurried
@given(st.text("ab?", max_size=8), st.text("ab*?", max_size=6))
def test_glob_means_what_the_equal_regular_expression_means(text: str, pattern: str) -> None:
    expected = re.fullmatch(pattern.replace("?", ".").replace("*", ".*"), text) is not None

    assert value_of("glob(t, p)", {"t": text, "p": pattern}) is expected
