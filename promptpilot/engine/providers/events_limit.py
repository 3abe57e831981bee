"""Bounds one event of a stream of server-sent events, which ends with a blank line."""

from __future__ import annotations

import re
from typing import Final

MAX_EVENT_BYTES: Final = 1_000_000

_BLANK_LINE: Final = re.compile(rb"\n\n|\r\r|\r\n\r\n|\n\r\n")
_LONGEST_END: Final = 3


class EventLimit:
    """Counts the bytes of the event that is coming in, so that a reader need not hold more."""

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._tail = b""
        self._bytes = 0

    def is_passed_by(self, piece: bytes) -> bool:
        """Take the next piece of the stream and tell whether an event in it is too long."""
        seen = self._tail + piece
        begun = len(self._tail) - self._bytes
        longest = 0
        for found in _BLANK_LINE.finditer(seen):
            longest = max(longest, found.end() - begun)
            begun = found.end()
        self._bytes = len(seen) - begun
        self._tail = seen[max(begun, len(seen) - _LONGEST_END, 0) :]
        return max(longest, self._bytes) > self._max_bytes
