"""The front on a schema in memory, and beside it a plain Starlette endpoint: a process to measure.

Usage: python -m benchmarks.graphql_server <port> [stock]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import strawberry
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from promptpilot.front.http import GraphQLEndpoint
from promptpilot.front.limits import Limits
from promptpilot.front.session import Session
from promptpilot.front.terms import Customs, Terms
from promptpilot.front.websocket import GraphQLSocket
from promptpilot.settings import Settings
from promptpilot.stopping import Stopping
from promptpilot.web import WebServer


@strawberry.type
class Item:
    id: strawberry.ID
    name: str
    note: str | None
    status: str
    count: int
    ratio: float
    is_good: bool
    created_at: str


@dataclass
class Row:
    id: str
    name: str
    note: str | None
    status: str
    count: int
    ratio: float
    is_good: bool
    created_at: str


ROWS = [
    Row(f"item_{n}", f"Item {n}", "A note", "DONE", n, n / 7, n % 2 == 0, "2026-11-23T12:00:00Z")
    for n in range(50)
]


@strawberry.type
class Query:
    @strawberry.field
    async def hello(self) -> str:
        return "Hello, world!"

    @strawberry.field
    async def items(self) -> list[Item]:
        return ROWS  # type: ignore[return-value] # rows are shown as they are


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def rename(self, name: str) -> str:
        return name


class _Bell:
    """What subscriptions wait for; a ring is one event for each that is open."""

    def __init__(self) -> None:
        self.waiting: set[asyncio.Queue[int]] = set()

    def ring(self) -> None:
        for each in self.waiting:
            each.put_nowait(1)


BELL = _Bell()
ROW = ROWS[0]


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self) -> AsyncGenerator[Item, None]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        BELL.waiting.add(queue)
        try:
            while await queue.get():
                yield ROW  # type: ignore[misc] # rows are shown as they are
        finally:
            BELL.waiting.discard(queue)

    @strawberry.subscription
    async def flood(self, size: int) -> AsyncGenerator[str, None]:
        while True:
            yield "x" * size


async def _plain(request: Request) -> Response:
    orjson.loads(await request.body())
    return Response(orjson.dumps({"data": {"hello": "Hello, world!"}}))


async def _cpu(request: Request) -> Response:
    return PlainTextResponse(str(time.process_time()))


async def _open(request: Request) -> Response:
    return PlainTextResponse(str(len(BELL.waiting)))


async def _ring(request: Request) -> Response:
    BELL.ring()
    return PlainTextResponse("rung")


async def _session(request: Request) -> Session:
    return Session(dict)


async def _socket_session(socket: WebSocket, payload: Mapping[str, Any]) -> Session:
    return Session(dict)


def main() -> None:
    """Serve until the process is ended."""
    limits = Limits(is_fast="stock" not in sys.argv, max_caller_sockets=0, max_caller_streams=0)
    terms = Terms.of(strawberry.Schema(Query, Mutation, Subscription), Customs(limits))
    app = Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(terms, session=_session)),
            WebSocketRoute("/graphql", GraphQLSocket(terms, session=_socket_session)),
            Route("/open", _open),
            Route("/ring", _ring),
            Route("/plain", _plain, methods=["POST"]),
            Route("/cpu", _cpu),
        ]
    )
    server = WebServer(app, Settings.from_env({"PROMPTPILOT_PORT": sys.argv[1]}))
    server.bind()
    uvloop.run(server.run(Stopping()))


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(0)
