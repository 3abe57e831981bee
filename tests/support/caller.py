"""Somebody who calls a running server from outside, over HTTP and on a WebSocket."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from promptpilot.front.websocket import PROTOCOL
from tests.support.waiting import wait_until

_READY_SECONDS = 30.0
_ANSWER_SECONDS = 15.0


def free_port() -> int:
    """Return a port of the loopback address that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Caller:
    """Calls the server at one port, with a token once it has one. Take one from `calling`."""

    port: int
    http: httpx2.AsyncClient
    token: str = ""

    async def is_served(self) -> bool:
        """Tell whether the server takes requests."""
        try:
            return (await self.http.get("/readyz")).status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False

    async def until_served(self) -> Self:
        """Wait until the server takes requests."""
        await wait_until(self.is_served, _READY_SECONDS)
        return self

    async def post(self, path: str, content: bytes, **headers: str) -> httpx2.Response:
        """Post bytes, with the token if there is one; `_` in a header's name stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, content=content, headers=self._credentials() | sent)

    async def get(self, url: str, **headers: str) -> httpx2.Response:
        """Get a path or an address, with the token if there is one; `_` stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(url, headers=self._credentials() | sent)

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """Return the data that a GraphQL document asks for; fail when there are errors."""
        request = {"query": document, "variables": variables}
        answer = await self.http.post("/graphql", json=request, headers=self._credentials())
        body: dict[str, Any] = answer.json()
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    async def subscribe(
        self, document: str, **variables: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield what a subscription sends until it completes.

        Raises `ConnectionClosed` when the server goes away in the middle.
        """
        url = f"ws://127.0.0.1:{self.port}/graphql"
        async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], proxy=None) as stream:
            await _send(stream, "connection_init", payload=self._credentials())
            request = {"query": document, "variables": variables}
            await _send(stream, "subscribe", id="1", payload=request)
            async for text in stream:
                message = json.loads(text)
                if message["type"] == "complete":
                    return
                if message["type"] == "next":
                    yield message["payload"]["data"]
                assert message["type"] != "error", message
            raise ConnectionClosed(None, None)

    def _credentials(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}


@asynccontextmanager
async def calling(port: int, token: str = "") -> AsyncIterator[Caller]:
    """Give a caller of the server at `port`."""
    base = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=base, timeout=_ANSWER_SECONDS, trust_env=False) as http:
        yield Caller(port, http, token)


async def _send(stream: ClientConnection, kind: str, **members: Any) -> None:
    await stream.send(json.dumps({"type": kind, **members}))
