"""Proves which bodies are read as forms, and that no two readers could read one differently."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.triggers.payloads import (
    MAX_FIELDS,
    parse_form,
    read_json,
    read_json_or_form,
)
from promptpilot.errors import InvalidInput

FORM = "application/x-www-form-urlencoded"
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


@given(st.dictionaries(texts.filter(bool), texts))
def test_a_form_that_the_standard_library_writes_is_read(fields: dict[str, str]) -> None:
    body = urlencode(fields).encode()

    assert parse_form(body) == fields


@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise_anything_else(body: bytes) -> None:
    with suppress(InvalidInput):
        fields = parse_form(body)

        assert parse_form(urlencode(fields).encode()) == fields


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"a=1&a=2", "the same field twice"),
        (b"a=1&%61=2", "the same field twice"),
        (b"a", "a name and `=`"),
        (b"=1", "a name and `=`"),
        (b"a=1&", "a name and `=`"),
        (b"a=1&&b=2", "a name and `=`"),
        (b"a=%", "not escaped"),
        (b"a=%4", "not escaped"),
        (b"a=%zz", "not escaped"),
        (b"a=b c", "not escaped"),
        (b"a=\xc3\xa9", "not escaped"),
        (b"a=1\r\n", "not escaped"),
        (b"a=%C3", "not UTF-8"),
        (b"a=%ED%A0%80", "not UTF-8"),
        (b"a=%00", "NUL"),
        (b"a%00=1", "NUL"),
    ],
)
def test_a_form_that_two_readers_read_differently_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        read_json_or_form(FORM, body)


def test_a_form_has_a_limit_of_fields() -> None:
    body = b"&".join(b"f%d=" % number for number in range(MAX_FIELDS))

    assert len(parse_form(body)) == MAX_FIELDS
    with pytest.raises(InvalidInput, match="more than 1000 fields"):
        parse_form(body + b"&one=more")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"command": "/deploy", "text": ""}, {"command": "/deploy", "text": ""}),
        ({"payload": '{"action":"opened"}'}, {"action": "opened"}),
        ({"payload": "[1]", "b": "[2]"}, {"payload": [1], "b": "[2]"}),
    ],
)
def test_the_field_payload_holds_json(fields: dict[str, str], expected: object) -> None:
    assert read_json_or_form(FORM, urlencode(fields).encode()) == expected


@pytest.mark.parametrize("text", ["", "not json", '{"a":1,"a":2}', '"\\ud800"', "[" * 5000])
def test_the_field_payload_must_be_strict_json(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_json_or_form(FORM, urlencode({"payload": text}).encode())


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=utf-8", f" {FORM.upper()} ;x"])
def test_a_form_is_known_by_its_type(kind: str) -> None:
    assert read_json_or_form(kind, b"a=1") == {"a": "1"}
    with pytest.raises(InvalidInput, match="choose application/json instead"):
        read_json(kind, b"a=1")


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", f"{FORM}2"])
def test_everything_else_is_json(kind: str) -> None:
    assert read_json(kind, b'{"a":1}') == {"a": 1}
    assert read_json_or_form(kind, b'{"a":1}') == {"a": 1}
