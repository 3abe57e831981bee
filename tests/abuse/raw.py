"""A client without manners: it sends the bytes it is told to, as HTTP or as frames of a socket."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_WITHIN_SECONDS = 10.0
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
#: The handshake of a socket.
UPGRADE = (
    "GET /graphql HTTP/1.1\r\nhost: front\r\nupgrade: websocket\r\n"
    f"connection: upgrade\r\nsec-websocket-key: {_KEY}\r\n"
    "sec-websocket-version: 13\r\n"
    "sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
).encode()


def request(body: bytes, *headers: str, target: str = "/graphql") -> bytes:
    """Return the bytes of a POST with JSON."""
    lines = [
        f"POST {target} HTTP/1.1",
        "host: front",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def frame(
    payload: bytes, opcode: int = TEXT, *, first: int = 0x80, is_masked: bool = True
) -> bytes:
    """Return a frame; `first` are the bits beside the opcode: 0x80 says that it is the last."""
    size = len(payload)
    mark = 0x80 if is_masked else 0
    if size < 126:
        head = bytes([first | opcode, mark | size])
    elif size < 65536:
        head = bytes([first | opcode, mark | 126]) + struct.pack(">H", size)
    else:
        head = bytes([first | opcode, mark | 127]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if is_masked else b"") + payload


@dataclass
class Line:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes; a server that hangs up meanwhile is none of our business."""
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def status(self) -> int | None:
        """Return the status of the next answer; None when the server hangs up instead."""
        async with asyncio.timeout(_WITHIN_SECONDS):
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
        return int(head.split(b" ", 2)[1])

    async def upgrade(self) -> Self:
        """Go through the handshake of a socket."""
        await self.send(UPGRADE)
        assert await self.status() == 101
        return self

    async def close_code(self) -> int | None:
        """Read frames until the server closes; return its code, None if it just hangs up."""
        async with asyncio.timeout(_WITHIN_SECONDS):
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    opcode, payload = await self.next_frame()
                    if opcode == CLOSE:
                        return int(struct.unpack(">H", payload[:2])[0])
        return None

    async def abort(self) -> None:
        """Hang up without a word, as a process does that is killed."""
        self.writer.transport.abort()

    async def next_frame(self) -> tuple[int, bytes]:
        """Return the opcode and the payload of the next frame."""
        first, size = await self.reader.readexactly(2)
        if size == 126:
            size = struct.unpack(">H", await self.reader.readexactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", await self.reader.readexactly(8))[0]
        return first & 0x0F, await self.reader.readexactly(size)


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Line]:
    """Give a connection to a server on loopback."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def open_files() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
