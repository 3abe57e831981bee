"""Reads and writes JSON without ever failing on a value that a model or a client can make."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"\d{19}")
_KEY = re.compile(r'"[ \t\r\n]*:')
_MAX_DEPTH = 128  # what was read can be written again: orjson writes 254 levels


class NotJson(Exception):
    """The bytes are not JSON, nest too deeply to be read, or say a key twice in one object.

    Its text says which, as the rest of a sentence.
    """


class Unwritable(Exception):
    """A value has no form in JSON: a bug of a resolver."""


def loads(data: bytes | str, max_depth: int = _MAX_DEPTH) -> Any:
    """Read JSON; raise NotJson on anything else.

    Invalid UTF-8, more than `max_depth` levels and a key that stands twice in one object are
    refused too: of two values readers pick different ones.
    """
    try:
        value = _exact(data) if _has_long_number(data) else orjson.loads(data)
        if _may_be_deep(data, max_depth) and _depth(value, max_depth) > max_depth:
            raise NotJson(f"nests deeper than {max_depth} levels")
        _refuse_doubles(data, value)
    except (ValueError, RecursionError) as error:
        raise NotJson(_reason(error, max_depth)) from None
    return value


def _reason(error: Exception, max_depth: int) -> str:
    if isinstance(error, RecursionError) or "recursion" in str(error).lower():
        return f"nests deeper than {max_depth} levels"
    place = f", at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
    return f"is not JSON{place}"


def dumps(value: Any) -> bytes:
    """Write compact JSON; raise Unwritable where a value has no form in it.

    Numbers that are not finite become null, lone surrogates U+FFFD, keys text.
    """
    try:
        return orjson.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return _dumps_unusual(value)


def _has_long_number(data: bytes | str) -> bool:
    """Whether orjson might read an integer as a float and lose its last digits."""
    text = data if isinstance(data, bytes) else data.encode(errors="replace")
    return _LONG_NUMBER.search(text) is not None


def _exact(data: bytes | str) -> Any:
    orjson.loads(data)  # stricter about what JSON is
    return json.loads(data)


def longest_list(value: Any) -> int:
    """Return how many items the longest list inside a value of JSON has."""
    longest, level = 0, _containers([value])
    while level:
        longest = max(longest, *(len(each) for each in level if isinstance(each, list)), 0)
        level = [inner for outer in level for inner in _containers(_items(outer))]
    return longest


def _refuse_doubles(data: bytes | str, value: Any) -> None:
    text = data if isinstance(data, str) else data.decode()
    # What looks like a key is one, or is part of a text; so there is nothing to find if the
    # value has as many keys as the text seems to have.
    if len(_KEY.findall(text)) > _count_keys(value):
        json.loads(text, object_pairs_hook=_without_doubles)


def _count_keys(value: Any) -> int:
    count, level = 0, _containers([value])
    while level:
        count += sum(len(each) for each in level if isinstance(each, dict))
        level = [inner for outer in level for inner in _containers(_items(outer))]
    return count


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise NotJson("has a key twice in one object")
    return members


def _may_be_deep(data: bytes | str, max_depth: int) -> bool:
    if isinstance(data, str):
        return data.count("[") + data.count("{") > max_depth
    return data.count(b"[") + data.count(b"{") > max_depth


def _depth(value: Any, max_depth: int) -> int:
    depth = 0
    level = _containers([value])
    while level and depth <= max_depth:
        level = [inner for outer in level for inner in _containers(_items(outer))]
        depth += 1
    return depth


def _items(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _containers(items: Iterable[Any]) -> list[Any]:
    return [item for item in items if isinstance(item, dict | list)]


def _dumps_unusual(value: Any) -> bytes:
    try:
        return json.dumps(_mended(value), separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unwritable(str(error)) from error


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mended(str(key)): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
