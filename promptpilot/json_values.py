"""JSON values that every part can store and read: checked, written and read in one way.

Rules: a value is checked before it is stored, because SQLite would accept what PostgreSQL refuses
(NUL) and both would accept what no client can read (NaN, lone surrogates).
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from promptpilot.errors import InvalidInput

Path = tuple[str | int, ...]

#: How many lists and objects may lie inside one another.
MAX_JSON_DEPTH = 64
#: About 2,400 digits; far below where Python refuses to print an integer.
_MAX_INTEGER_BITS = 8192
#: orjson would read such a number as a float and lose its last digits.
_LONG_INTEGER = re.compile(r"\d{19}")


def dump_json(value: Any, path: Path = ()) -> str:
    """Return the compact JSON text of a value; raise InvalidInput when it has none."""
    check_json(value, path)
    return encode_json(value)


def encode_json(value: Any) -> str:
    """Return the compact JSON text of a value that was checked before."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # an integer over 64 bit
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def load_json(text: str | bytes) -> Any:
    """Return the value of a JSON text from the database, long integers exact."""
    text = text.decode() if isinstance(text, bytes) else text
    return json.loads(text) if _LONG_INTEGER.search(text) else orjson.loads(text)


def check_json(value: Any, path: Path = ()) -> None:
    """Raise InvalidInput, naming the path, for a value that not every part can store and read.

    Refused are NaN and infinities, NUL and lone surrogates in texts and keys, keys that are not
    texts, more than 64 levels, integers of thousands of digits, and what is not JSON at all.
    """
    _check(value, path, MAX_JSON_DEPTH)


def _check(value: Any, path: Path, depth_left: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int | float):
        _check_number(value, path)
    elif isinstance(value, dict | list | tuple):
        _check_children(value, path, depth_left)
    else:
        raise _refusal(path, f"a {type(value).__name__} is not JSON")


def _check_children(value: Any, path: Path, depth_left: int) -> None:
    if depth_left == 0:
        raise _refusal(path[:4], f"more than {MAX_JSON_DEPTH} levels")
    if not isinstance(value, dict):
        for position, item in enumerate(value):
            _check(item, (*path, position), depth_left - 1)
        return
    for key, item in value.items():
        if not isinstance(key, str):
            raise _refusal(path, f"the key {key!r} is not a text")
        _check_text(key, path)
        _check(item, (*path, key), depth_left - 1)


def _check_text(text: str, path: Path) -> None:
    if "\x00" in text:
        raise _refusal(path, "the character NUL (\\u0000) cannot be stored")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refusal(
            path, "half a surrogate pair (\\ud800 to \\udfff) cannot be stored"
        ) from None


def _check_number(number: float, path: Path) -> None:
    if isinstance(number, int):
        if number.bit_length() > _MAX_INTEGER_BITS:
            raise _refusal(path, "an integer with thousands of digits")
    elif number - number != 0:  # holds for NaN and for both infinities alone
        raise _refusal(path, f"{number} is not a JSON number")


def _refusal(path: Path, reason: str) -> InvalidInput:
    place = ".".join(str(part) for part in path) or "the value"
    return InvalidInput(f"{place}: {reason}", path)
