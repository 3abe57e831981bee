"""Proves that the JSON of an answer is found, checked here, and refused without quoting it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.structured import (
    NotAsAsked,
    check_schema,
    read_json,
    repair_message,
    wants_json,
)

OBJECT = {"responseFormat": "JSON_OBJECT"}
PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "maximum": 150}},
    "additionalProperties": False,
}
#: Text that nobody can take for the beginning of JSON or of a fence.
PROSE = st.text(st.characters(codec="utf-8", exclude_characters="{[`\x00"), max_size=30)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=3)


def schema(document: Any) -> dict[str, Any]:
    """Return parameters that ask for JSON after a schema."""
    return {"responseFormat": "JSON_SCHEMA", "responseSchema": document}


def errors_of(text: str, parameters: dict[str, Any]) -> list[dict[str, str]]:
    """Return why an answer is refused."""
    with pytest.raises(NotAsAsked) as refusal:
        read_json(text, parameters)
    return refusal.value.errors


@given(OBJECTS, PROSE, PROSE)
def test_an_object_is_found_among_sentences(value: Any, before: str, after: str) -> None:
    text = f"{before}{json.dumps(value)}{after}"

    assert read_json(text, OBJECT) == value


@given(VALUES, PROSE, st.sampled_from(["", "json", "JSON "]))
def test_a_value_is_found_between_fences(value: Any, before: str, language: str) -> None:
    text = f"{before}\n```{language}\n{json.dumps(value, ensure_ascii=False)}\n```\nDone."

    assert read_json(text, schema({})) == value


@given(VALUES)
def test_json_alone_is_read_as_it_stands(value: Any) -> None:
    assert read_json(f" \n{json.dumps(value)}\n", schema({})) == value


@given(st.text())
def test_any_answer_is_read_or_refused_with_bounded_words(text: str) -> None:
    try:
        found, errors = read_json(text, OBJECT), []
    except NotAsAsked as refusal:
        found, errors = None, refusal.errors

    assert isinstance(found, dict) == (errors == [])
    assert len(errors) <= 10
    assert all(len(word) <= 201 for each in errors for word in each.values())


def test_the_first_of_several_objects_counts() -> None:
    assert read_json('Not {this}, but {"a": 1} before {"a": 2}', OBJECT) == {"a": 1}


def test_a_list_before_an_object_is_passed_when_an_object_is_wanted() -> None:
    text = 'See [1]: {"name": "Ada"}'

    assert read_json(text, schema(PERSON)) == {"name": "Ada"}
    assert read_json(text, schema({})) == [1]


def test_nothing_is_read_when_no_json_is_asked_for() -> None:
    assert read_json('{"a": 1}', {"responseFormat": "TEXT"}) is None
    assert not wants_json({})


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("I will not.", "", "there is no JSON in it"),
        ("", "", "there is no JSON in it"),
        ('{"a": 1', "", "it is not JSON: Expecting ',' delimiter at character 7"),
        ("[1]", "", 'the value is not of type "object"'),
        ('{"a": NaN}', "", "it is not JSON: NaN is not a JSON number"),
        ('{"a": 1, "a": 2}', "", "it is not JSON: an object has the same key twice"),
        ('{"a": 1e999}', "/a", "inf is not a JSON number"),
        ('{"a": "\\ud800"}', "/a", "half a surrogate pair"),
        ('{"a": "\\u0000"}', "/a", "the character NUL"),
        ('{"a":' * 70 + "1" + "}" * 70, "/a/a/a/a", "more than 64 levels"),
        ('{"a":' * 20_000, "", "it has too many levels of lists and objects"),
        ('{"a": ' + "9" * 5000 + "}", "", "it is not JSON"),
        ('{"a": ' + "9" * 3000 + "}", "/a", "an integer with thousands of digits"),
    ],
)
def test_what_is_no_json_object_is_refused(text: str, path: str, words: str) -> None:
    (error,) = errors_of(text, OBJECT)

    assert error["path"] == path
    assert words in error["message"]


def test_every_fault_has_its_place_and_no_value() -> None:
    errors = errors_of('{"age": 7777, "name": "secret", "x": 1}', schema(PERSON))

    assert {each["path"] for each in errors} == {"", "/age"}
    assert not any(word in str(errors) for word in ("7777", "secret"))


def test_many_faults_are_told_in_part() -> None:
    text = json.dumps([{}] * 50)

    assert len(errors_of(text, schema({"type": "array", "items": PERSON}))) == 10


def test_an_answer_that_a_schema_would_follow_without_end_is_refused() -> None:
    twice = {"properties": {"x": {"$ref": "#"}}}
    text = '{"x":' * 60 + "{}" + "}" * 60

    (error,) = errors_of(text, schema({"type": "object", "allOf": [twice, twice]}))

    assert error["message"] == "it nests deeper than its schema can be followed"


@pytest.mark.parametrize(
    "heavy",
    [
        {"enum": [[number] for number in range(6000)]},
        {"enum": [{"a": number} for number in range(6000)]},
        {"enum": ["a", *range(60_000)]},
        {"allOf": [{"pattern": "a"}] * 2000},
    ],
    ids=["lists", "objects", "mixed", "patterns"],
)
def test_a_long_answer_is_refused_that_would_take_long_to_check(heavy: dict[str, Any]) -> None:
    text = json.dumps(["a" * 100] * 5000)

    (error,) = errors_of(text, schema({"items": heavy}))

    assert error["message"] == "it is too long to be checked against its schema"


def test_a_long_answer_is_checked_against_many_words() -> None:
    words = [f"word {number}" for number in range(6000)]

    value = read_json(json.dumps(words * 5), schema({"items": {"enum": words}}))

    assert value == words * 5


def test_of_much_work_the_first_fault_is_told() -> None:
    twice = {"properties": {"x": {"$ref": "#"}}}
    text = '{"x":' * 10 + "1" + "}" * 10

    errors = errors_of(text, schema({"type": "object", "allOf": [twice, twice]}))

    assert errors == [{"path": "/x" * 10, "message": 'the value is not of type "object"'}]


def test_an_answer_full_of_beginnings_is_given_up_soon() -> None:
    assert errors_of('{"a":[' * 20_000 + "x", OBJECT)
    assert errors_of("{" * 200_000, OBJECT)


def test_a_model_is_told_what_is_wrong() -> None:
    told = repair_message([{"path": "", "message": "no"}, {"path": "/a", "message": "bad"}])

    assert "- the answer: no\n- /a: bad\n" in told


@pytest.mark.parametrize("document", [PERSON, {}, {"$ref": "#/$defs/a", "$defs": {"a": True}}])
def test_a_usable_schema_is_taken(document: dict[str, Any]) -> None:
    assert check_schema(document) is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "it must be an object"),
        ({"a": {1}}, "it cannot be written as JSON"),
        ({"enum": ["x" * 70_000]}, "65536 are allowed"),
        ({"type": "thing"}, "at `type`: the value is not valid"),
        ({"pattern": "(a"}, 'at `pattern`: the value is not a "regex"'),
        ({"pattern": "(?=a)b"}, 'at `pattern`: the value is not a "regex"'),
        ({"$ref": "#/$defs/none"}, "Pointer '/$defs/none' does not exist"),
        ({"$ref": "https://a.example/s"}, "`$ref` must lead into the schema itself"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(document: Any, words: str) -> None:
    fault = check_schema(document)

    assert fault is not None
    assert words in fault
