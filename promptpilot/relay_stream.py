"""Keeps the output of one attempt in a Redis stream: how it is written there, and read from there.

An entry is a piece of the answer of one model and says at which character it begins. So a reader
notices when something is missing before it, and a stream that was lost is written anew as a whole.

Units: positions and lengths count characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis.asyncio.client import Pipeline

from promptpilot.engine.ports import OutputPlace

#: How long an attempt that shows nothing more is remembered, and one that has ended.
KEPT_SECONDS = 300
KEPT_AFTER_END_SECONDS = 30
#: Entries after which the whole text is written anew as one: it bounds what they cost.
MAX_ENTRIES = 500

_MODEL, _OFFSET, _TEXT = b"m", b"o", b"t"

Entry = tuple[bytes, Mapping[bytes, bytes]]


def stream_key(place: OutputPlace) -> str:
    """Return the key of an attempt's stream."""
    return f"pp:output:{place_name(place)}"


def place_name(place: OutputPlace) -> str:
    """Return the name under which an attempt's output is rung for."""
    return f"{place.execution_id}/{place.path}/{place.attempt}"


class StreamWriter:
    """Writes what a stream lacks. Whatever is not known to be there is written again."""

    def __init__(self, place: OutputPlace) -> None:
        self._key = stream_key(place)
        self._sent: dict[int, int] = {}
        self._entries = 0

    def forget(self) -> None:
        """Take nothing for written."""
        self._sent.clear()
        self._entries = 0

    def has_news(self, texts: Mapping[int, str]) -> bool:
        """Whether the stream lacks something of `texts`."""
        return any(self._sent.get(index, -1) < len(text) for index, text in texts.items())

    def write(self, pipe: Pipeline, texts: Mapping[int, str], kept_seconds: int) -> None:
        """Add what the stream lacks; the last answer of the pipe is how many entries it has."""
        if self._entries >= MAX_ENTRIES:
            self.forget()
        if self._entries == 0:
            pipe.xtrim(self._key, maxlen=0, approximate=False)
        for index, text in texts.items():
            begin = self._sent.get(index, 0)
            if len(text) > begin or index not in self._sent:
                fields = {_MODEL: index, _OFFSET: begin, _TEXT: _encoded(text[begin:])}
                pipe.xadd(self._key, fields)  # type: ignore[arg-type]  # its dict is invariant
                self._sent[index] = len(text)
                self._entries += 1
        pipe.expire(self._key, kept_seconds)
        pipe.xlen(self._key)

    def check(self, entry_count: int) -> bool:
        """Whether the stream is whole; otherwise everything is written the next time."""
        if entry_count == self._entries:
            return True
        self.forget()
        return False


class StreamReader:
    """Puts the texts of a stream together."""

    def __init__(self, place: OutputPlace) -> None:
        self.key = stream_key(place)
        self.texts: dict[int, str] = {}
        self._last = b"-"

    @property
    def begin(self) -> bytes:
        """Return from where on entries are to be read."""
        return self._last if self._last == b"-" else b"(" + self._last

    def read(self, entries: Sequence[Entry]) -> None:
        """Take in entries; a piece that does not go on where a text ends is passed over."""
        for entry_id, fields in entries:
            self._last = entry_id
            self._take(fields)

    def _take(self, fields: Mapping[bytes, bytes]) -> None:
        try:
            index, offset = int(fields[_MODEL]), int(fields[_OFFSET])
            text = fields[_TEXT].decode()
        except (KeyError, ValueError):
            return  # nothing of ours
        known = self.texts.get(index, "")
        if 0 <= offset <= len(known):
            grown = known[:offset] + text
            if len(grown) > len(known) or index not in self.texts:
                self.texts[index] = grown


def _encoded(text: str) -> bytes:
    return text.encode(errors="replace")
