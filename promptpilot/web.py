"""Serves the web application on one address, in the loop that is running."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from promptpilot.errors import Misconfigured
from promptpilot.http_protocol import BoundedHttp
from promptpilot.settings import Settings
from promptpilot.stopping import SERVER_STOPS, Stopping

_MAX_MESSAGE_BYTES = 262_144
_GRACE_SECONDS = 5
_BACKLOG = 2048


class WebServer:
    """A uvicorn that leaves the signals to the process. `bind` it, then `run` it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._address = (settings.host, settings.port)
        self._socket: socket.socket | None = None
        self._stops = asyncio.Event()
        self._server = _Server(
            uvicorn.Config(
                _Warned(app, self._stops),
                http=BoundedHttp,
                ws="websockets-sansio",
                ws_max_size=_MAX_MESSAGE_BYTES,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    def bind(self) -> None:
        """Take the address: callers queue from now on. Raise Misconfigured if somebody has it."""
        host, port = self._address
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = found[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(address)
            self._socket.listen(_BACKLOG)
        except OSError as error:
            self.close()
            message = (
                f"Cannot listen at {host}:{port}: {error.strerror or error}. Set PROMPTPILOT_PORT "
                "or PROMPTPILOT_HOST to another one."
            )
            raise Misconfigured([message]) from error

    def close(self) -> None:
        """Give the address back. May be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def run(self, stopping: Stopping) -> None:
        """Serve until the process is to stop; let open requests end, unless it is to stop now."""
        assert self._socket is not None, "bind() comes first"  # noqa: S101 -- a bug of ours
        watch = asyncio.create_task(self._watch(stopping), name="web: stop")
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            watch.cancel()
            self.close()

    async def _watch(self, stopping: Stopping) -> None:
        await stopping.soon.wait()
        self._stops.set()
        self._server.should_exit = True
        await stopping.now.wait()
        self._server.force_exit = True


class _Warned:
    """Lets requests know when their server is to stop, so that streams end before it does."""

    def __init__(self, app: ASGIApp, stops: asyncio.Event) -> None:
        self._app = app
        self._stops = stops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        scope["state"] = {**scope.get("state", {}), SERVER_STOPS: self._stops}
        await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    """uvicorn without its own handling of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def own_url(settings: Settings) -> str:
    """Return the address under which this process reaches its own server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
