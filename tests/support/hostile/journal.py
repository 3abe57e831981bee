"""What a hostile server saw: every request, and how its connection ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_WITHIN_SECONDS = 5.0


@dataclass(slots=True)
class SeenRequest:
    """One request, written on while it is answered.

    Units: seconds since the request had come; `at`, when that was, in milliseconds of the wall
    clock. `closed_after` is None while the connection is open; `is_abandoned` says that the client
    closed it before the answer was complete.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    bytes_sent: int = 0
    is_abandoned: bool = False
    closed_after: float | None = None
    at: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    closed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def idempotency_key(self) -> str | None:
        """Its `Idempotency-Key`."""
        return self.headers.get("idempotency-key")

    async def wait_until_closed(self) -> None:
        """Return when the connection is closed; fail when it is not within seconds."""
        async with asyncio.timeout(_WITHIN_SECONDS):
            await self.closed.wait()

    def as_json(self) -> dict[str, Any]:
        """Return it as the server's `/journal` shows it."""
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": dict(self.headers),
            "body": self.body.decode("utf-8", "replace"),
            "at": self.at,
            "bytesSent": self.bytes_sent,
            "isAbandoned": self.is_abandoned,
            "closedAfter": self.closed_after,
        }


class Journal:
    """Every request in the order in which they came, and how many connections there were."""

    def __init__(self) -> None:
        self.requests: list[SeenRequest] = []
        self.connections = 0
        self._news = asyncio.Condition()

    def at(self, path: str) -> list[SeenRequest]:
        """Return the requests of this path."""
        return [each for each in self.requests if each.path == path]

    async def note(self, request: SeenRequest) -> None:
        """Write a request down and tell whoever waits for one."""
        async with self._news:
            self.requests.append(request)
            self._news.notify_all()

    async def first(self) -> SeenRequest:
        """Return the first request, whatever its path, as soon as it came; fail after seconds."""
        async with asyncio.timeout(_WITHIN_SECONDS), self._news:
            await self._news.wait_for(lambda: bool(self.requests))
        return self.requests[0]

    async def wait_for(self, path: str, count: int = 1) -> list[SeenRequest]:
        """Return the requests of this path as soon as there are so many; fail after seconds."""
        async with asyncio.timeout(_WITHIN_SECONDS), self._news:
            await self._news.wait_for(lambda: len(self.at(path)) >= count)
        return self.at(path)
