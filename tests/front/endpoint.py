"""The front under test: in this task for HTTP, on loopback for sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from promptpilot.errors import Unauthenticated, Unavailable
from promptpilot.front.http import GraphQLEndpoint, Profile
from promptpilot.front.limits import Limits
from promptpilot.front.negotiation import RESPONSE
from promptpilot.front.persisted import PersistedDocuments
from promptpilot.front.quotas import Rates
from promptpilot.front.session import Session
from promptpilot.front.terms import Customs, Terms
from promptpilot.front.websocket import PROTOCOL, GraphQLSocket
from tests.front.sample import SECRET, Probe, schema

JSON_BODY = {"content-type": "application/json"}


@dataclass(frozen=True)
class Front:
    """The app with its probe; `limits`, `profile` and origins as the test wants them."""

    probe: Probe
    limits: Limits = field(default_factory=Limits)
    profile: Profile = "2026-09"
    allowed_origins: Collection[str] = ()
    persisted: PersistedDocuments | None = None
    rates: Rates | None = None

    def app(self) -> Starlette:
        """Return the app with both endpoints on one path."""
        terms = Terms.of(schema, Customs(self.limits, persisted=self.persisted, rates=self.rates))
        endpoint = GraphQLEndpoint(terms, session=self._caller, profile=self.profile)
        socket = GraphQLSocket(terms, session=self._session, allowed_origins=self.allowed_origins)
        return Starlette(routes=[Route("/graphql", endpoint), WebSocketRoute("/graphql", socket)])

    async def send(
        self, method: str, accept: str | None = RESPONSE, **request: Any
    ) -> httpx2.Response:
        """Send one HTTP request; without an Accept header when `accept` is None."""
        transport = httpx2.ASGITransport(self.app())
        headers = {**({"accept": accept} if accept else {}), **request.pop("headers", {})}
        async with httpx2.AsyncClient(transport=transport, base_url="http://front") as client:
            if accept is None:
                del client.headers["accept"]
            return await client.request(method, "/graphql", headers=headers, **request)

    async def ask(
        self, query: str, accept: str | None = RESPONSE, **members: Any
    ) -> httpx2.Response:
        """POST a query with the other members of a request."""
        return await self.send("POST", accept, json={"query": query, **members})

    async def post(self, content: bytes, accept: str | None = RESPONSE) -> httpx2.Response:
        """POST bytes that are said to be JSON."""
        return await self.send("POST", accept, content=content, headers=JSON_BODY)

    async def _caller(self, request: Request) -> Session:
        token = request.headers.get("authorization")
        if token == "Bearer wrong":
            raise Unauthenticated("The token is not known.")
        if token == "Bearer bug":
            raise RuntimeError(SECRET)
        lifetime = request.headers.get("x-lifetime-ms")
        expires_at = datetime.now(UTC) + timedelta(milliseconds=int(lifetime)) if lifetime else None
        if token == "Bearer short":
            return Session(self.probe.new_context, expires_at, _revoked)
        return Session(self.probe.new_context, expires_at, key=token or "nobody")

    async def _session(self, socket: WebSocket, payload: Mapping[str, Any]) -> Session:
        token = payload.get("token")
        if token == "wrong":
            raise Unauthenticated("The token is not known.")
        if token == "bug":
            raise RuntimeError(SECRET)
        if token == "away":
            raise Unavailable("The database does not answer.")
        if token == "slow":
            await asyncio.Event().wait()
        lifetime = payload.get("lifetime_ms")
        expires_at = datetime.now(UTC) + timedelta(milliseconds=lifetime) if lifetime else None
        checks = iter(range(payload.get("checks", 1000)))

        async def check() -> None:
            if next(checks, None) is None:
                raise Unauthenticated("The token is revoked.")

        return Session(self.probe.new_context, expires_at, check, token or "nobody")


async def _revoked() -> None:
    raise Unauthenticated("The token is revoked.")


class Wire:
    """A client's end of a socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        """Send a message; text and bytes as they are."""
        is_raw = isinstance(message, str | bytes)
        await self.connection.send(message if is_raw else json.dumps(message))  # type: ignore[arg-type] # narrowed by is_raw

    async def receive(self) -> Any:
        """Return the next message."""
        return json.loads(await self.connection.recv())

    async def introduce(self, **payload: Any) -> None:
        """Go through the handshake."""
        await self.send({"type": "connection_init", "payload": payload})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, query: str, id: str = "1", **members: Any) -> None:
        """Start an operation."""
        await self.send({"type": "subscribe", "id": id, "payload": {"query": query, **members}})

    async def close_code(self) -> int | None:
        """Read until the server closes; return its code."""
        try:
            while True:
                await self.connection.recv()
        except ConnectionClosed:
            return self.connection.close_code


@dataclass(frozen=True)
class Server:
    """A front that listens on loopback."""

    port: int

    @asynccontextmanager
    async def open(
        self, protocol: str = PROTOCOL, origin: str | None = None
    ) -> AsyncIterator[Wire]:
        """Open a socket."""
        connection = connect(
            f"ws://127.0.0.1:{self.port}/graphql",
            subprotocols=[protocol],  # type: ignore[list-item] # a NewType of str
            origin=origin,  # type: ignore[arg-type] # a NewType of str
            proxy=None,
            compression=None,
            close_timeout=1,
        )
        async with connection as opened:
            yield Wire(opened)


@asynccontextmanager
async def serving(front: Front) -> AsyncIterator[Server]:
    """Serve `front` on a free port until the block ends."""
    config = uvicorn.Config(
        front.app(),
        port=0,
        log_config=None,
        lifespan="off",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield Server(server.servers[0].sockets[0].getsockname()[1])
    finally:
        await server.shutdown()
