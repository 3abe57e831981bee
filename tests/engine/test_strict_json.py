"""Proves that what is JSON to everybody is read as it stands, and nothing else is taken."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.strict_json import parse_json
from promptpilot.errors import InvalidInput

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)


def has_infinity(value: Any) -> bool:
    return "Infinity" in json.dumps(value, ensure_ascii=True)


@given(values.filter(lambda value: not has_infinity(value)), st.booleans())
def test_what_is_json_is_read_as_it_stands(value: Any, is_ascii: bool) -> None:  # noqa: FBT001 -- hypothesis passes it
    assert parse_json(json.dumps(value, ensure_ascii=is_ascii).encode()) == value


@given(st.binary(max_size=50))
def test_any_bytes_have_a_value_or_are_invalid_input(body: bytes) -> None:
    with suppress(InvalidInput):
        parse_json(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a":1,"a":2}', "same key twice"),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b"[1e999]", "not a JSON number"),
        (b"1" * 5000, "thousands of digits"),
        (b'"\\u0000"', "NUL"),
        (b'{"\\u0000":1}', "NUL"),
        (b'"\\udfff"', "surrogate"),
        (b"[" * 65 + b"]" * 65, "64 levels"),
        (b"[" * 200_000, "levels"),
        (b'{"a":' * 200_000, "levels"),
        (b"{} {}", "not JSON"),
    ],
)
def test_what_readers_would_not_agree_on_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_json(body)


def test_sixty_four_levels_are_taken() -> None:
    assert parse_json(b"[" * 64 + b"]" * 64)


def test_long_integers_stay_exact() -> None:
    assert parse_json(b"[12345678901234567890123]") == [12345678901234567890123]
