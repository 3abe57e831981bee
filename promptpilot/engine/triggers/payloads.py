"""Reads the body of a verified call: strict JSON, or the form that some senders make of it.

Rules: a form is an object of texts. Its field `payload` holds JSON (GitHub, and the interactions
of Slack); alone, it is the payload, so that expressions read the same whatever the sender chose.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from promptpilot.engine.strict_json import parse_json
from promptpilot.errors import InvalidInput
from promptpilot.json_values import check_json

MAX_FIELDS: Final = 1000
_FORM: Final = "application/x-www-form-urlencoded"
_PATH: Final = ("payload",)
_JSON_FIELD: Final = "payload"
_SPOILT_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNESCAPED = re.compile(rb"[^!-~]")


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form."""
    return content_type.partition(";")[0].strip().lower() == _FORM


def read_json(content_type: str, body: bytes) -> Any:
    """Return the JSON of a body whose sender cannot mean a form.

    Raises InvalidInput, for a form with the way out.
    """
    if is_form(content_type):
        message = f"The body is a form; choose application/json instead of {_FORM}."
        raise InvalidInput(message, _PATH)
    return parse_json(body, _PATH)


def read_json_or_form(content_type: str, body: bytes) -> Any:
    """Return the payload in a body of either kind. Raises InvalidInput."""
    return _payload_of(body) if is_form(content_type) else parse_json(body, _PATH)


def _payload_of(body: bytes) -> Any:
    fields: dict[str, Any] = parse_form(body)
    if _JSON_FIELD not in fields:
        return fields
    value = parse_json(fields[_JSON_FIELD].encode(), _PATH)
    return value if len(fields) == 1 else {**fields, _JSON_FIELD: value}


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form, in order.

    Raises InvalidInput for what two readers would read differently: a field twice, a field without
    `=`, a spoilt escape, bytes that are not escaped, and for what is no text or over the limit.
    """
    if not body:
        return {}
    parts = body.split(b"&", MAX_FIELDS)
    if len(parts) > MAX_FIELDS:
        raise _refusal(f"it has more than {MAX_FIELDS} fields")
    pairs = [_pair(part) for part in parts]
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _refusal("it has the same field twice")
    check_json(fields, _PATH)
    return fields


def _pair(part: bytes) -> tuple[str, str]:
    name, equals, value = part.partition(b"=")
    if not name or not equals:
        raise _refusal("a field must have a name and `=`")
    return _text(name), _text(value)


def _text(escaped: bytes) -> str:
    if _UNESCAPED.search(escaped) or _SPOILT_ESCAPE.search(escaped):
        raise _refusal("a character is not escaped as it must be")
    try:
        return unquote_to_bytes(escaped.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise _refusal("it is not UTF-8") from None


def _refusal(reason: str) -> InvalidInput:
    return InvalidInput(f"The body is no form that can be read: {reason}.", _PATH)
