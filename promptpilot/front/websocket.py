"""The WebSocket endpoint: decides who may open a socket, and in which protocol.

Rules: browsers of foreign origins are refused before the handshake; only graphql-transport-ws is
spoken.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from promptpilot.front.connection import Connection, SessionFactory
from promptpilot.front.terms import Terms

PROTOCOL = "graphql-transport-ws"


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
            await socket.accept(PROTOCOL)
            await Connection(socket, self._terms, self._session).converse()

    def _is_welcome(self, socket: WebSocket) -> bool:
        origin = socket.headers.get("origin", "").lower()
        if not origin or "*" in self._allowed_origins or origin in self._allowed_origins:
            return True
        return urlsplit(origin).netloc == socket.headers.get("host", "").lower() != ""
