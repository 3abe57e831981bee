"""Bounds one event of a stream of server-sent events, which ends with a blank line."""

from __future__ import annotations

import re
from typing import ClassVar, Final

_BLANK_LINE: Final = re.compile(rb"\n\n|\r\r|\r\n\r\n|\n\r\n")
_LONGEST_END: Final = 3


class EventLimit:
    """Counts the bytes of the event that is coming in, so that a reader need not hold more."""

    MAX_BYTES: ClassVar[int] = 1_000_000

    def __init__(self) -> None:
        self._tail = b""
        self._bytes = 0

    def is_passed_by(self, piece: bytes) -> bool:
        """Take the next piece of the stream and tell whether an event is too long now."""
        seen = self._tail + piece
        ends = [found.end() for found in _BLANK_LINE.finditer(seen)]
        start = ends[-1] if ends else 0
        longest = max(
            (end - begin for begin, end in zip([0, *ends], ends, strict=False)), default=0
        )
        self._bytes = len(seen) - start if ends else self._bytes + len(piece)
        self._tail = seen[max(start, len(seen) - _LONGEST_END) :]
        return max(self._bytes, longest) > self.MAX_BYTES
