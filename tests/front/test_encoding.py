"""Proves that JSON is read strictly and written always."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.front.encoding import NotJson, Unwritable, dumps, loads, longest_list

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)
_READABLE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_SURROGATES = st.text(st.characters(categories=["Cs", "L"]))


@given(values)
def test_every_value_of_json_is_written(value: object) -> None:
    json.loads(dumps(value), parse_constant=pytest.fail)


@given(_SURROGATES)
def test_lone_surrogates_are_replaced(text: str) -> None:
    assert not any(0xD800 <= ord(character) < 0xE000 for character in json.loads(dumps(text)))


@given(st.binary() | st.text())
def test_anything_else_is_refused_with_one_error(data: bytes | str) -> None:
    try:
        loads(data)
    except NotJson:
        return


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": nothing}', r"is not JSON, at character [78]$"),
        (b'{"a": "' + b"\xff", "is not JSON"),
        (b'{"a": 1, "a": 2}', "has a key twice in one object"),
        (b"[" * 200 + b"]" * 200, "nests deeper than 128 levels"),
    ],
)
def test_the_reason_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(NotJson, match=reason):
        loads(data)


@pytest.mark.parametrize(("levels", "is_read"), [(128, True), (129, False), (900, False)])
def test_depth_is_bounded(levels: int, is_read: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    text = '{"a":' * levels + "1" + "}" * levels

    if is_read:
        assert dumps(loads(text)) == text.encode()
    else:
        with pytest.raises(NotJson):
            loads(text)


def test_what_has_no_form_in_json_is_a_fault() -> None:
    with pytest.raises(Unwritable):
        dumps({"value": object()})


def test_long_integers_are_read_exactly() -> None:
    assert loads(b'{"a": 1180591620717411303424}') == {"a": 2**70}


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ('{"a": 1, "b": {"a": 2}}', True),
        ('{"a": "\\"a\\": 1, \\"a\\": 2"}', True),
        ('[{"a": 1}, {"a": 1}]', True),
        ('{"a": 1, "a": 1}', False),
        ('{"x": [{"a": 1, "b": 2, "a" : 3}]}', False),
        ('{"a": 1, "\\u0061": 2}', False),
        ('{"": 1, "": 2}', False),
    ],
)
def test_a_key_stands_once_in_an_object(text: str, is_read: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    if is_read:
        assert loads(text) == loads(text.encode()) == json.loads(text)
    else:
        with pytest.raises(NotJson):
            loads(text)


@given(_READABLE)
def test_no_object_is_taken_for_one_with_doubles(value: object) -> None:
    assert loads(json.dumps(value)) == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("value", "longest"), [({}, 0), ([1], 1), ({"a": [[1, 2, 3], [1]]}, 3), ({"a": {"b": []}}, 0)]
)
def test_the_longest_list_is_found_at_any_depth(value: object, longest: int) -> None:
    assert longest_list(value) == longest
