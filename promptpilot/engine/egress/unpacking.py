"""Unpacks the body of an answer piece by piece, and never further than its limit."""

from __future__ import annotations

import zlib
from typing import Final, Protocol

#: What is told to the other side.
ACCEPTED_ENCODINGS: Final = "gzip, deflate"

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_BARE_DEFLATE = -zlib.MAX_WBITS
_ZLIB_HEADER_BYTES = 2


class BodyTooLarge(Exception):
    """The unpacked body passes its limit."""


class BodyBroken(Exception):
    """The body is not packed as the answer says; the message says in which way."""


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Body:
    """Gathers one body of at most `max_bytes` unpacked bytes."""

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        """Begin. Raises BodyBroken when the encoding is not one that was asked for."""
        self._encoding = content_encoding.strip().lower()
        if self._encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise BodyBroken("its body is packed in a way that was not asked for")
        self._max_bytes = max_bytes
        self._gathered = bytearray()
        self._taken_bytes = 0
        self._inflater: _Inflater | None = None
        self._held_back = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece. Raises BodyTooLarge, BodyBroken."""
        self._gathered += self._inflated(data) if self._is_packed else data
        if self._taken_bytes + len(self._gathered) > self._max_bytes:
            raise BodyTooLarge

    def take(self) -> bytes:
        """Return what is unpacked and was not taken yet; for the limit it still counts."""
        piece = bytes(self._gathered)
        self._gathered.clear()
        self._taken_bytes += len(piece)
        return piece

    def finish(self) -> bytes:
        """Return what was not taken. Raises BodyBroken when its packing does not end."""
        is_begun = self._inflater is not None or self._held_back
        if is_begun and not (self._inflater and self._inflater.eof):
            raise BodyBroken("its packed body ends too early")
        return bytes(self._gathered)

    @property
    def _is_packed(self) -> bool:
        return self._encoding not in {"", "identity"}

    def _inflated(self, data: bytes) -> bytes:
        data = self._held_back + data
        if self._inflater is None and len(data) < _ZLIB_HEADER_BYTES:
            self._held_back = data
            return b""
        self._held_back = b""
        if self._inflater is None:
            self._inflater = zlib.decompressobj(self._window_bits(data))
        if self._inflater.eof and data:
            raise BodyBroken("its packed body goes on after its end")
        return self._unpacked_by(self._inflater, data)

    def _unpacked_by(self, inflater: _Inflater, data: bytes) -> bytes:
        room = self._max_bytes - self._taken_bytes - len(self._gathered)
        try:
            unpacked = inflater.decompress(data, room + 1)
        except zlib.error:
            raise BodyBroken("its body is not packed as it says") from None
        if inflater.unused_data:
            raise BodyBroken("its packed body goes on after its end")
        return unpacked

    def _window_bits(self, data: bytes) -> int:
        """Return how to unpack; some servers send deflate without the header of zlib."""
        if self._encoding != "deflate":
            return _GZIP
        has_zlib_header = data[0] & 0x0F == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0
        return _ZLIB if has_zlib_header else _BARE_DEFLATE
