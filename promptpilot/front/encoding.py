"""Reads and writes JSON without ever failing on a value that a model or a client can make."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"\d{19}")
_MAX_DEPTH = 128  # what was read can be written again: orjson writes 254 levels


class NotJson(Exception):
    """The bytes are not JSON, or nest too deeply to be read."""


class Unwritable(Exception):
    """A value has no form in JSON: a bug of a resolver."""


def loads(data: bytes | str) -> Any:
    """Read JSON; raise NotJson on anything else, invalid UTF-8 and deep nesting included."""
    try:
        value = _exact(data) if _has_long_number(data) else orjson.loads(data)
    except (ValueError, RecursionError):
        raise NotJson from None
    if _may_be_deep(data) and _depth(value) > _MAX_DEPTH:
        raise NotJson
    return value


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


def _may_be_deep(data: bytes | str) -> bool:
    if isinstance(data, str):
        return data.count("[") + data.count("{") > _MAX_DEPTH
    return data.count(b"[") + data.count(b"{") > _MAX_DEPTH


def _depth(value: Any) -> int:
    depth = 0
    level = _containers([value])
    while level and depth <= _MAX_DEPTH:
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
