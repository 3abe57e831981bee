"""The WebSocket endpoint: decides who may open a socket, and in which protocol.

Rules: browsers of foreign origins are refused before the handshake, and so is an address with too
many sockets that have not said who they are; only graphql-transport-ws is spoken.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from promptpilot.errors import LimitExceeded
from promptpilot.front.connection import Connection, SessionFactory
from promptpilot.front.terms import Terms

PROTOCOL = "graphql-transport-ws"

_RETRY_SECONDS = 1


class GraphQLSocket:
    """An ASGI app for `WebSocketRoute("/graphql", endpoint)`.

    `session` gets the payload of connection_init and says who speaks; a CallerError that it raises
    closes the socket with 4403. `allowed_origins` are exact, such as "https://app.example", or
    "*"; the origin of the server itself is always allowed.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        session: SessionFactory,
        allowed_origins: Collection[str] = (),
    ) -> None:
        self._terms = terms
        self._session = session
        self._allowed_origins = frozenset(origin.lower() for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it is closed."""
        socket = WebSocket(scope, receive, send)
        if not self._is_welcome(socket):
            await socket.close(4403, "Foreign origin")
        elif PROTOCOL not in scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
        else:
            await self._let_in(socket)

    async def _let_in(self, socket: WebSocket) -> None:
        places = ExitStack()
        try:
            places.enter_context(self._terms.strangers.taken(_address(socket)))
        except LimitExceeded as error:
            await socket.send_denial_response(_come_back(error))
            return
        with places:
            await socket.accept(PROTOCOL)
            await Connection(socket, self._terms, self._session, places).converse()

    def _is_welcome(self, socket: WebSocket) -> bool:
        origin = socket.headers.get("origin", "").lower()
        if not origin or "*" in self._allowed_origins or origin in self._allowed_origins:
            return True
        return urlsplit(origin).netloc == socket.headers.get("host", "").lower() != ""


def _address(socket: WebSocket) -> str:
    return socket.client.host if socket.client else ""


def _come_back(error: LimitExceeded) -> Response:
    fault = {"message": error.message, "extensions": {"code": error.code}}
    return JSONResponse({"errors": [fault]}, 429, {"retry-after": str(_RETRY_SECONDS)})
