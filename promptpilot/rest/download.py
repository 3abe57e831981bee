"""Answers with a file as HTTP asks for: whole, a part of it, or not at all if it is known.

What is sent goes out in pieces, each as soon as the caller took the one before, so that a download
needs no memory beside the file itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from promptpilot.rest.errors import problem

#: Who takes no piece for that long has gone.
PATIENCE: Final = timedelta(seconds=30)

_PIECE_BYTES: Final = 64 * 1024
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A JSON text in UTF-8 that is sent as a file called `name` (ASCII)."""

    body: bytes
    sha256: str
    name: str

    @property
    def etag(self) -> str:
        """The strong validator that stands for exactly these bytes."""
        return f'"{self.sha256}"'

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer that tells of the file."""
        return {
            "content-type": "application/json",
            "content-disposition": f'attachment; filename="{self.name}"',
            "etag": self.etag,
            "accept-ranges": "bytes",
            "cache-control": "private, no-store",
            "x-content-type-options": "nosniff",
        }


class Unsatisfiable(Exception):
    """The range that is asked for lies behind the end."""


class PieceByPiece(Response):
    """Sends bytes in pieces; breaks off when the caller takes none for `patience`."""

    def __init__(
        self,
        content: memoryview,
        status: int,
        headers: Mapping[str, str],
        patience: timedelta = PATIENCE,
    ) -> None:
        super().__init__(None, status, headers)
        self._content = content
        self._patience = patience.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and all pieces; what is broken off ends the connection."""
        head = {"status": self.status_code, "headers": self.raw_headers}
        try:
            await self._send(send, {"type": "http.response.start", **head})
            for start in range(0, len(self._content), _PIECE_BYTES):
                piece = bytes(self._content[start : start + _PIECE_BYTES])
                await self._send(send, _body(piece, has_more=True))
            await self._send(send, _body(b"", has_more=False))
        except TimeoutError:
            return

    async def _send(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._patience):
            await send(message)


def answer_file(request: Request, file: JsonFile) -> Response:
    """Return the answer to a GET or HEAD of the file."""
    headers = file.headers()
    if _is_known(request, file):
        return Response(None, 304, headers)
    size = len(file.body)
    whole = {**headers, "content-length": str(size)}
    if request.method == "HEAD":
        return PieceByPiece(memoryview(b""), 200, whole)
    try:
        part = _wanted_part(request, file)
    except Unsatisfiable:
        outside = {"content-range": f"bytes */{size}"}
        return problem(416, "RANGE_NOT_SATISFIABLE", f"There are {size} bytes.", None, outside)
    content = memoryview(file.body)
    if part is None:
        return PieceByPiece(content, 200, whole)
    place = f"bytes {part.start}-{part.stop - 1}/{size}"
    partial = {**headers, "content-length": str(len(part)), "content-range": place}
    return PieceByPiece(content[part.start : part.stop], 206, partial)


def parse_range(text: str, size: int) -> range | None:
    """Return which of `size` bytes a Range header asks for.

    None stands for all of them: the header is malformed or asks for several parts, which a server
    may leave aside. Raises Unsatisfiable.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        wanted = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = range(int(first), min(size, int(last) + 1) if last else size)
    if not wanted:
        raise Unsatisfiable
    return wanted


def _wanted_part(request: Request, file: JsonFile) -> range | None:
    text = request.headers.get("range")
    # The part of another file would not fit to what the caller has.
    if text is None or request.headers.get("if-range", file.etag) != file.etag:
        return None
    return parse_range(text, len(file.body))


def _is_known(request: Request, file: JsonFile) -> bool:
    given = request.headers.get("if-none-match", "")
    known = {each.strip().removeprefix("W/") for each in given.split(",")}
    return "*" in known or file.etag in known


def _body(piece: bytes, *, has_more: bool) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": has_more}
