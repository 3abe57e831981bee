"""The web application of a process: GraphQL, REST, probes and the explorer, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from limits.aio.storage import Storage
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from promptpilot.backbone import Backbone
from promptpilot.engine.api import Engine
from promptpilot.engine.login_limits import network_of
from promptpilot.engine.principal import Principal
from promptpilot.errors import Unauthenticated
from promptpilot.front.http import GraphQLEndpoint
from promptpilot.front.limits import Limits
from promptpilot.front.session import Session
from promptpilot.front.websocket import GraphQLSocket
from promptpilot.graphql_terms import ANONYMOUS, SIGNED_IN, graphql_terms, limits_of
from promptpilot.models.migrate import pending
from promptpilot.rest.errors import RETRY_AFTER_SECONDS, problem
from promptpilot.rest.health import Health, live
from promptpilot.rest.routes import not_allowed, not_found, rest_routes
from promptpilot.schema.context import Context
from promptpilot.settings import Settings

_CODE_TRY_AGAIN_LATER = 1013
_CORS_HEADERS = ["authorization", "content-type", "idempotency-key", "x-api-key", "last-event-id"]
_SCHEMA_KNOWN_SECONDS = 10.0


class Doorway:
    """What the server serves from its first moment: nothing yet, then the application."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    def open(self, app: ASGIApp) -> None:
        """Serve `app` from now on."""
        self._app = app

    def close(self) -> None:
        """Serve nothing any more: what the application stands on is about to be closed."""
        self._app = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        app = self._app
        if app is None:
            await _serve_nothing(scope, receive, send)
        else:
            await app(scope, receive, send)


class SchemaWatch:
    """Knows whether the schema is current; asks the database every ten seconds at most."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._missing: list[str] = []
        self._asks_again_at = float("-inf")

    async def missing(self) -> list[str]:
        """Return the titles of pending migrations. Raise Misconfigured for a newer database."""
        now = asyncio.get_running_loop().time()
        if now >= self._asks_again_at:
            self._missing = await pending(self._url)
            self._asks_again_at = now + _SCHEMA_KNOWN_SECONDS
        return self._missing


def create_app(backbone: Backbone, engine: Engine, counted_in: Storage | None = None) -> ASGIApp:
    """Return the application; the backbone must stay open as long as it is served.

    What callers do is counted in `counted_in`, for all servers on it; by default in this process.
    """
    settings = backbone.settings
    health = Health(
        backbone.database, SchemaWatch(settings.database_url).missing, backbone.bells.version
    )
    app = Starlette(
        routes=[
            *_graphql_routes(settings, engine, counted_in),
            Route("/", _home),
            *rest_routes(engine, health),
        ],
        exception_handlers={404: not_found, 405: not_allowed},
        middleware=list(_middleware(settings)),
    )
    app.router.redirect_slashes = False  # an address is right or it is not there
    return app


def _graphql_routes(
    settings: Settings, engine: Engine, counted_in: Storage | None
) -> list[BaseRoute]:
    callers = Callers(engine, limits_of(settings))
    terms = graphql_terms(settings, engine.clock, counted_in)
    endpoint = GraphQLEndpoint(
        terms, session=callers.of_request, profile=settings.graphql_profile.value
    )
    socket = GraphQLSocket(
        terms, session=callers.of_socket, allowed_origins=settings.allowed_origins
    )
    return [Route("/graphql", endpoint), WebSocketRoute("/graphql", socket)]


class Callers:
    """Finds out who calls, over HTTP and on a socket."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    async def of_request(self, request: Request) -> Session:
        """Return who sends a request; without a token nobody is signed in."""
        return await self._session(request, _header(request))

    async def of_socket(self, socket: WebSocket, payload: Mapping[str, Any]) -> Session:
        """Return who speaks on a socket, by `authorization` in its first message or its header."""
        given = payload.get("authorization", payload.get("Authorization"))
        if given is not None and not isinstance(given, str):
            raise Unauthenticated("`authorization` in connection_init must be a text.")
        return await self._session(socket, given or _header(socket))

    async def _session(self, connection: HTTPConnection, authorization: str) -> Session:
        principal, address = await self._principal(authorization), _address(connection)

        async def check() -> None:
            await self._principal(authorization)  # a token may be revoked while a stream is open

        def new_context() -> Context:
            return Context.of(self._engine, principal, address, self._limits)

        return Session(new_context, _expiry(principal), check, _key(principal, address))

    async def _principal(self, authorization: str) -> Principal | None:
        if not authorization:
            return None
        scheme, _, bearer = authorization.partition(" ")
        if scheme.lower() != "bearer" or not bearer.strip():
            raise Unauthenticated("Send the token as Authorization: Bearer <token>.")
        return await self._engine.identify(bearer.strip())


def _header(connection: HTTPConnection) -> str:
    return connection.headers.get("authorization", "")


def _address(connection: HTTPConnection) -> str | None:
    return connection.client.host if connection.client else None


def _key(principal: Principal | None, address: str | None) -> str:
    """Return what a caller's operations are counted by: who they are, or where they come from."""
    if principal is not None:
        return f"{SIGNED_IN}:{principal.user_id}"
    return f"{ANONYMOUS}:{network_of(address) if address else ''}"


def _expiry(principal: Principal | None) -> datetime | None:
    return None if principal is None else principal.expires_at


async def _home(request: Request) -> Response:
    return RedirectResponse("/graphql")


def _middleware(settings: Settings) -> list[Middleware]:
    if not settings.allowed_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=_CORS_HEADERS,
            max_age=600,
        )
    ]


async def _serve_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).close(_CODE_TRY_AGAIN_LATER, "Starting")
        return
    request = Request(scope, receive)
    if request.url.path == "/healthz":
        response = await live(request)
    else:
        retry = {"retry-after": str(RETRY_AFTER_SECONDS)}
        response = problem(503, "UNAVAILABLE", "The server is starting; try again.", None, retry)
    await response(scope, receive, send)
