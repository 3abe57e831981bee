"""A provider of models that says what a test has written down, byte for byte."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.hostile.conversation import Conversation
from tests.support.hostile.server import HostileServer

_EVENTS = {"Content-Type": "text/event-stream"}


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its head, its body in pieces, and whether it is left hanging after them."""

    pieces: tuple[bytes, ...]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: dict(_EVENTS))
    is_left_hanging: bool = False


def events(*documents: Any, is_left_hanging: bool = False) -> Said:
    """Return a stream of server-sent events; a document's `type` names its event."""
    return Said(tuple(_event(each) for each in documents), is_left_hanging=is_left_hanging)


def whole(document: Any) -> Said:
    """Return an answer in one piece."""
    return Said((json.dumps(document).encode(),), headers={"Content-Type": "application/json"})


class ScriptedProvider(HostileServer):
    """Answers every request with what `says` holds; its journal tells what was asked."""

    says: Said

    async def _behave(self, conversation: Conversation) -> None:
        said = self.says
        await conversation.head(said.status, {**said.headers, "Transfer-Encoding": "chunked"})
        for piece in said.pieces:
            await conversation.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        if said.is_left_hanging:
            await conversation.hang()
        await conversation.send(b"0\r\n\r\n")

    def asked(self) -> dict[str, Any]:
        """Return the body of the one request that came."""
        [request] = self.journal.requests
        body: dict[str, Any] = json.loads(request.body)
        return body


@asynccontextmanager
async def scripted_provider() -> AsyncIterator[ScriptedProvider]:
    """Run one on the loopback; it is stopped with its conversations at the end."""
    server = ScriptedProvider("127.0.0.1", "http")
    listening = await server.serve(None)
    try:
        yield server
    finally:
        listening.close()
        await server.stop()


def _event(document: Any) -> bytes:
    if isinstance(document, bytes):
        return document
    name = document.get("type")
    begun = f"event: {name}\n" if name else ""
    return f"{begun}data: {json.dumps(document)}\n\n".encode()
