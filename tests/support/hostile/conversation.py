"""One connection of a hostile server: reading the request, sending, and noticing the client go."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs

from tests.support.hostile.journal import SeenRequest

_MAX_HEAD_BYTES = 1_000_000
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class ClientGone(Exception):
    """The client closed the connection before the answer was complete."""


class Conversation:
    """Answers one request, well or badly, and counts what it sends."""

    def __init__(
        self, request: SeenRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.request = request
        self.name, *self.arguments = request.path.strip("/").split("/")
        self._writer = writer
        self._gone = asyncio.ensure_future(_until_closed(reader))

    @property
    def query(self) -> Mapping[str, Sequence[str]]:
        """The arguments of the query."""
        return parse_qs(self.request.query, keep_blank_values=True)

    def number(self, default: int) -> int:
        """Return the first argument of the path."""
        return int(self.arguments[0]) if self.arguments else default

    async def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises ClientGone."""
        if self._gone.done():
            raise ClientGone
        self._writer.write(data)
        try:
            await self._writer.drain()
        except ConnectionError:
            raise ClientGone from None
        self.request.bytes_sent += len(data)

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of an answer."""
        reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Odd"
        lines = [f"{name}: {value}" for name, value in headers.items()]
        text = "\r\n".join([f"HTTP/1.1 {status} {reason}", *lines, "", ""])
        await self.send(text.encode("latin-1"))

    async def answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer that is as it should be."""
        await self.head(status, {"Content-Length": str(len(body)), **(headers or {})})
        if body:
            await self.send(body)

    async def pause(self, seconds: float) -> None:
        """Let time pass. Raises ClientGone as soon as the client is."""
        done, _ = await asyncio.wait([self._gone], timeout=seconds)
        if done:
            raise ClientGone

    async def hang(self) -> None:
        """Do nothing until the client goes. Raises ClientGone."""
        await self._gone
        raise ClientGone

    def reset(self) -> None:
        """End the connection with a reset."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        self._writer.transport.abort()

    async def end(self) -> None:
        """Stop listening for the client; the server closes the connection then."""
        self._gone.cancel()
        await asyncio.wait([self._gone])


async def read_request(reader: asyncio.StreamReader) -> SeenRequest:
    """Read one request with its body. Raises IncompleteReadError when it is cut."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    path, _, query = target.partition("?")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return SeenRequest(method, path, query, headers, body)


async def _until_closed(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(_MAX_HEAD_BYTES):
            pass
    except ConnectionError:
        return
