"""Reads the JSON that a model was asked for out of its answer, and checks it here, not there.

Rules
    1. What stands around the JSON is no fault: fences and sentences are taken away.
    2. Whatever the provider promises, an object is checked to be one, and JSON_SCHEMA is checked
       against its schema, draft 2020-12.
    3. What is wrong is told as places and reasons that quote nothing of the answer's values.
    4. A schema is small, refers to nothing outside itself, and cannot multiply without end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from promptpilot.engine import schema_weight
from promptpilot.engine.strict_json import DECODER
from promptpilot.errors import InvalidInput
from promptpilot.json_values import check_json, dump_json

JSON_OBJECT: Final = "JSON_OBJECT"
JSON_SCHEMA: Final = "JSON_SCHEMA"
MAX_SCHEMA_BYTES: Final = 64 * 1024
_MAX_ERRORS = 10
#: Most effort for an answer, times its characters: what checking it may take is some seconds.
_MAX_WORK = 500_000_000
#: Up to this effort all errors are looked for; beyond they could be without number.
_EASY = 200
_MAX_WORDS = 200
_MAX_FENCES = 8
_FENCE = "```"
_BLANK = " \t\r\n"
#: An answer is read through at most so often in search of a value, from so many beginnings.
_READINGS = 4
_BEGINNINGS = 200

Path = tuple[str, ...]
Error = dict[str, str]


class NotAsAsked(ValueError):
    """An answer is not the JSON that was asked for; `errors` has `path` and `message` of each."""

    def __init__(self, errors: list[Error]) -> None:
        super().__init__("The answer is not the JSON that was asked for.")
        self.errors = errors


def wants_json(parameters: Mapping[str, Any]) -> bool:
    """Whether a model is asked for JSON."""
    return parameters.get("responseFormat") in {JSON_OBJECT, JSON_SCHEMA}


def read_json(text: str, parameters: Mapping[str, Any]) -> Any:
    """Return the JSON of an answer; None if none was asked for. Raises `NotAsAsked`."""
    if not wants_json(parameters):
        return None
    is_free = parameters["responseFormat"] == JSON_OBJECT
    schema = {"type": "object"} if is_free else parameters.get("responseSchema") or {}
    value = _find(text, _starts(schema))
    try:
        check_json(value)
    except InvalidInput as fault:
        raise NotAsAsked([_error(fault.path, fault.message)]) from None
    _check(value, schema, len(text))
    return value


def check_schema(schema: Any) -> str | None:
    """Return what is wrong with a schema for answers; None if it can be used."""
    if not isinstance(schema, Mapping):
        return "it must be an object"
    try:
        size = len(dump_json(schema).encode())
    except InvalidInput:
        return "it cannot be written as JSON"
    if size > MAX_SCHEMA_BYTES:
        return f"it has {size} bytes; {MAX_SCHEMA_BYTES} are allowed"
    if words := schema_weight.check_weight(schema):
        return words
    try:
        _validator(schema)
    except ValueError as fault:
        return _refusal(fault)
    return None


def repair_message(errors: list[Error]) -> str:
    """Return what a model is told of its answer, so that it mends it."""
    found = "\n".join(f"- {each['path'] or 'the answer'}: {each['message']}" for each in errors)
    return (
        "Your answer is not the JSON that was asked for:\n"
        f"{found}\n"
        "Answer again with the corrected JSON alone: no other words, no code fences."
    )


def _find(text: str, starts: str) -> Any:
    """Return the first JSON value of an answer. Raises `NotAsAsked`."""
    why = "there is no JSON in it"
    for piece in _pieces(text):
        try:
            return DECODER.decode(piece)
        except RecursionError:
            why = "it has too many levels of lists and objects"
        except ValueError as fault:
            why = _reading_fault(fault, has_json=any(start in piece for start in starts))
    found, value = _first(text, starts)
    if not found:
        raise NotAsAsked([_error((), why)])
    return value


def _pieces(text: str) -> Iterator[str]:
    """Yield the whole answer, then what stands between fences."""
    yield text.strip(_BLANK + "\ufeff")
    parts = text.split(_FENCE, 2 * _MAX_FENCES)
    for inside in parts[1:-1:2]:
        language, line_end, rest = inside.partition("\n")
        yield (rest if line_end and language.strip().isalnum() else inside).strip(_BLANK)


def _first(text: str, starts: str) -> tuple[bool, Any]:
    """Return whether a value begins somewhere in a text, and the first one."""
    place, effort = 0, _READINGS * len(text)
    for _ in range(_BEGINNINGS):
        place = _next(text, starts, place)
        if place < 0 or effort < 0:
            break
        try:
            return True, DECODER.raw_decode(text, place)[0]
        except json.JSONDecodeError as fault:
            effort -= fault.pos - place + 1
        except (ValueError, RecursionError):
            effort -= len(text) - place
        place += 1
    return False, None


def _next(text: str, starts: str, place: int) -> int:
    found = [at for start in starts if (at := text.find(start, place)) >= 0]
    return min(found, default=-1)


def _starts(schema: Mapping[str, Any]) -> str:
    """Return the characters with which a value that a schema allows may begin in a text."""
    kind = schema.get("type")
    return {"object": "{", "array": "["}.get(kind, "{[") if isinstance(kind, str) else "{["


def _check(value: Any, schema: Mapping[str, Any], length: int) -> None:
    effort = schema_weight.effort(schema, schema_weight.depth_of(value))
    if effort > schema_weight.MAX_WEIGHT:
        raise NotAsAsked([_error((), "it nests deeper than its schema can be followed")])
    if effort * length > _MAX_WORK:
        raise NotAsAsked([_error((), "it is too long to be checked against its schema")])
    try:
        _validator(schema).validate(value)
    except jsonschema_rs.ValidationError as first:
        found = [first] if effort > _EASY else _validator(schema).iter_errors(value)
        errors = [_error(each.instance_path, each.message) for each in islice(found, _MAX_ERRORS)]
        raise NotAsAsked(errors) from None


def _validator(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return what checks a schema; patterns take time in proportion to the text alone."""
    return jsonschema_rs.Draft202012Validator(
        dict(schema),
        offline=True,
        mask="the value",
        pattern_options=jsonschema_rs.RegexOptions(),
    )


def _error(path: Any, message: str) -> Error:
    place = "".join(f"/{part}" for part in path)
    return {"path": _short(place), "message": _short(message)}


def _short(text: str) -> str:
    return text if len(text) <= _MAX_WORDS else f"{text[:_MAX_WORDS]}…"


def _refusal(fault: ValueError) -> str:
    path = "/".join(str(part) for part in getattr(fault, "instance_path", ()))
    words = str(getattr(fault, "message", fault)).splitlines()[0]
    return _short(f"at `{path}`: {words}" if path else words)


def _reading_fault(fault: ValueError, *, has_json: bool) -> str:
    if not has_json:
        return "there is no JSON in it"
    if isinstance(fault, json.JSONDecodeError):
        return f"it is not JSON: {fault.msg} at character {fault.pos}"
    return f"it is not JSON: {fault}"
