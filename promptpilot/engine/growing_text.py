"""Lets the answer of a model be seen while it grows, without secrets and up to a limit.

Rules: what was shown is never taken back; so what may be the beginning of a secret is held back
until it is known what follows. A text that is longer than the limit is shown up to there.
"""

from __future__ import annotations

from promptpilot.engine.scrub import Scrubber

#: How much of one answer is shown while it grows, in bytes of UTF-8.
MAX_BYTES = 1024 * 1024


class GrowingText:
    """One answer that grows."""

    __slots__ = ("_fresh", "_held", "_room")

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._room = max_bytes
        self._fresh: list[str] = []
        self._held = ""

    def take(self, text: str) -> None:
        """Take in more of the answer; what is beyond the limit is dropped."""
        if self._room <= 0:
            return
        data = text.encode(errors="replace")
        if len(data) > self._room:
            text = data[: self._room].decode(errors="ignore")
        self._room -= len(data)
        self._fresh.append(text)

    def grow(self, scrubber: Scrubber) -> str:
        """Return what may be shown since the last time, without secrets."""
        text = self._gather()
        end = scrubber.safe_length(text)
        self._held = text[end:]
        return scrubber.text(text[:end])

    def finish(self, scrubber: Scrubber) -> str:
        """Return all the rest without secrets, because nothing will follow."""
        text, self._held = self._gather(), ""
        return scrubber.text(text)

    def _gather(self) -> str:
        text = self._held + "".join(self._fresh)
        self._fresh.clear()
        return text
