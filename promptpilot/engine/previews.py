"""Cuts a large JSON value to a small one of the same shape, for showing.

Rules: an object stays an object, a list a list, a text a text. Of a list or object the leading
items stay, of a text the beginning and `…`. What is small stays whole; what is large shares the
room that is left evenly, so that one long text does not push out all that follows it. Only a
number of more than 64 digits may become a text, where there is no room for it.

Units: bytes of compact UTF-8 JSON.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

INLINE_BYTES = 64 * 1024
PREVIEW_BYTES = 4096

# What a value gets before its later neighbours do, unless it needs less.
_MIN_SHARE = 64
_MAX_DEPTH = 64
_ELLIPSIS = "…"
_MIN_LIMIT = 5  # The shortest text that was cut, and `false`.


def cut(value: Any, limit: int = PREVIEW_BYTES) -> Any:
    """Return JSON `value` itself if it has at most `limit` bytes, else a beginning that has.

    The time depends on the limit, not on the value. Raises ValueError for a limit below 5.
    """
    if limit < _MIN_LIMIT:
        raise ValueError(f"A preview needs at least {_MIN_LIMIT} bytes, not {limit}.")
    return _fit(value, limit, _MAX_DEPTH)


def _fit(value: Any, room: int, depth_left: int) -> Any:
    if _size(value, room) <= room:
        return value
    if isinstance(value, str):
        return _shorten(value, room)
    if isinstance(value, list):
        return _fit_list(value, room, depth_left)
    if isinstance(value, dict):
        return _fit_object(value, room, depth_left)
    return _shorten(json.dumps(value), room)


def _shorten(text: str, room: int) -> str:
    room -= _text_size(_ELLIPSIS)
    head = text[:room]
    lengths = range(1, len(head) + 1)
    head = head[: bisect_right(lengths, room, key=lambda end: _text_size(head[:end]) - 2)]
    # Half of a pair is no text that could be stored.
    is_half = "\ud800" <= head[-1:] <= "\udbff"
    return (head[:-1] if is_half else head) + _ELLIPSIS


def _fit_list(items: list[Any], room: int, depth_left: int) -> list[Any]:
    if depth_left == 0:
        return []
    shares = _shares(((1, item) for item in items), room - 1)
    # The items without a share are left out.
    pairs = zip(items, shares, strict=False)
    return [_fit(item, share, depth_left - 1) for item, share in pairs]


def _fit_object(members: dict[str, Any], room: int, depth_left: int) -> dict[str, Any]:
    if depth_left == 0:
        return {}
    shares = _shares(((_size(key, room) + 2, item) for key, item in members.items()), room - 1)
    pairs = zip(members.items(), shares, strict=False)
    return {key: _fit(item, share, depth_left - 1) for (key, item), share in pairs}


def _shares(children: Iterable[tuple[int, Any]], room: int) -> list[int]:
    """Return the room for each of the leading children; there is none for the others.

    Each comes with the bytes that stand beside it. Who needs less than an even share leaves the
    rest to the larger ones; nobody gets less than _MIN_SHARE or what he needs.
    """
    kept = _leading(children, room)
    left = room - sum(beside for beside, _ in kept)
    most = max(_MIN_SHARE, left // max(1, len(kept)))
    needs = [_need(item, most, room) for _, item in kept]
    shares = [0] * len(kept)
    smallest_first = sorted(range(len(kept)), key=needs.__getitem__)
    for done, place in enumerate(smallest_first):
        shares[place] = min(needs[place], left // (len(kept) - done))
        left -= shares[place]
    return shares


def _leading(children: Iterable[tuple[int, Any]], room: int) -> list[tuple[int, Any]]:
    kept: list[tuple[int, Any]] = []
    for beside, item in children:
        room -= beside + _need(item, _MIN_SHARE, _MIN_SHARE)
        if room < 0:
            break
        kept.append((beside, item))
    return kept


def _need(value: Any, most: int, otherwise: int) -> int:
    size = _size(value, most)
    return size if size <= most else otherwise


def _size(value: Any, most: int) -> int:
    """Return the bytes of `value`, or some number above `most` as soon as there are more."""
    size = 0
    waiting = [value]
    while waiting and size <= most:
        item = waiting.pop()
        size += _own_size(item, most)
        if size <= most and isinstance(item, list | dict):
            waiting.extend(item)
            waiting.extend(item.values() if isinstance(item, dict) else ())
    return size


def _own_size(value: Any, most: int) -> int:
    """Return the bytes of a value without what it contains: of a list, brackets and commas."""
    if isinstance(value, str):
        return _text_size(value) if len(value) <= most else len(value)
    if isinstance(value, list):
        return len(value) + 1 if value else 2
    if isinstance(value, dict):
        return 2 * len(value) + 1 if value else 2
    return len(json.dumps(value))


def _text_size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"))
