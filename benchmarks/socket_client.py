"""Clients on sockets, cheap enough to hold a thousand; or a process of them, made to be killed.

Usage: python -m benchmarks.socket_client <port> <count>
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.abuse.raw import PING, Line, frame

PONG = 10
_NEXT = b'{"type":"next"'
_AT_ONCE = 50  # handshakes under way at a time


class Client:
    """One socket with one subscription; counts the answers that it has read."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._reading: asyncio.Task[None] | None = None
        self.answers = 0

    @classmethod
    async def open(cls, port: int, query: str, init: dict[str, str]) -> Self:
        """Open a socket and subscribe; nothing is read after the introduction."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        line = await Line(reader, writer).upgrade()
        await line.send(_message({"type": "connection_init", "payload": init}))
        await reader.readexactly((await reader.readexactly(2))[1])
        await line.send(_message({"type": "subscribe", "id": "1", "payload": {"query": query}}))
        return cls(line)

    def read(self) -> None:
        """Read from now on."""
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Hang up."""
        await self._line.abort()
        if self._reading is not None:
            await self._reading

    async def _read(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                opcode, answer = await self._line.next_frame()
                if opcode == PING:
                    await self._line.send(frame(answer, PONG))
                elif answer.startswith(_NEXT):
                    self.answers += 1
                else:
                    raise RuntimeError(answer)


async def open_clients(
    port: int, queries: list[str], init: dict[str, str] | None = None
) -> list[Client]:
    """Open one client for each query."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def open_one(query: str) -> Client:
        async with places:
            return await Client.open(port, query, init or {})

    return await asyncio.gather(*(open_one(query) for query in queries))


async def end(clients: list[Client]) -> None:
    """Hang up all of them."""
    await asyncio.gather(*(client.close() for client in clients))


async def until(is_so: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Wait until something is so; raise TimeoutError when it takes too long."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 -- another process knows
            await asyncio.sleep(0.005)


def _message(message: dict[str, object]) -> bytes:
    return frame(json.dumps(message).encode())


async def _main(port: int, count: int) -> None:
    clients = await open_clients(port, ["subscription { ticks { id } }"] * count)
    for client in clients:
        client.read()
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
