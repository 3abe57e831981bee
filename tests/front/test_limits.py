"""Proves that documents are measured rightly, and in linear time."""

from __future__ import annotations

import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.front.limits import Limits, measure

LOW = Limits(max_depth=3, max_aliases=2, max_directives=2, max_root_fields=3, max_repeats=2)


def _faults(text: str) -> list[str]:
    return list(measure(parse(text), LOW))


@pytest.mark.parametrize(
    "text",
    [
        "{ a { b { c } } }",
        "{ a { ...f } } fragment f on T { b { c } }",
        "{ a ... { b ... { c } } }",
        "{ x: a y: b }",
        "{ a @skip(if: true) b @skip(if: true) }",
        "{ a a a }",
        "{ __schema { a { b { c { d } } } } }",
        "{ ...cycle } fragment cycle on T { a { ...cycle } }",
        "{ ...unknown }",
    ],
)
def test_documents_within_the_limits_pass(text: str) -> None:
    assert _faults(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{ a { b { c { d } } } }", "4 levels of depth; at most 3"),
        ("{ a { ...f } } fragment f on T { b { c { d } } }", "4 levels of depth"),
        ("{ x: a y: b z: c }", "3 aliases; at most 2"),
        ("{ ...f ...g } fragment f on T { x: a ...g } fragment g on T { y: b }", "3 aliases"),
        ("{ __schema { x: a y: b z: c } }", "3 aliases"),
        ("query @a @b { c @d }", "3 directives; at most 2"),
        ("{ ... @a { ...f @b } } fragment f on T { c @d }", "3 directives"),
        ("{ a b c d }", "4 root fields; at most 3"),
        ("{ a ...f } fragment f on T { b c d }", "4 root fields"),
        ("{ a a a a }", "3 repeated response keys; at most 2"),
        ("{ a ... { a ... { a a } } }", "3 repeated response keys"),
        ("{ x { ...f ...f ...f ...f } } fragment f on T { a }", "3 repeated response keys"),
        ("{ a(n: " + "1" * 101 + ") }", "101 digits in one number; at most 100"),
    ],
)
def test_documents_over_a_limit_are_named(text: str, message: str) -> None:
    assert any(message in fault for fault in _faults(text))


@given(st.integers(min_value=1, max_value=40))
def test_aliases_behind_fragments_are_counted_as_often_as_they_are_spread(levels: int) -> None:
    chain = "".join(
        f" fragment f{n} on T {{ a {{ ...f{n + 1} }} b {{ ...f{n + 1} }} }}" for n in range(levels)
    )
    document = parse("{ ...f0 }" + chain + f" fragment f{levels} on T {{ x: c }}")
    limits = Limits(max_depth=100, max_aliases=2**levels, max_root_fields=2)

    assert list(measure(document, limits)) == [] or 2**levels > 10**9
