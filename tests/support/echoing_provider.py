"""A provider of models, and a receiver of requests, that tells every key it is sent, in any form.

It speaks OpenAI's protocol at any path: `…/models` lists models, `…/chat/completions` streams an
answer. Below `/denied` it refuses the key and repeats it; anything else answers with the headers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from tests.support.hostile.conversation import Conversation
from tests.support.hostile.server import HostileServer

_JSON = {"Content-Type": "application/json"}
_EVENTS = {"Content-Type": "text/event-stream", "X-Request-Id": "req-1"}


class EchoingProvider(HostileServer):
    """Repeats what it is told in confidence."""

    async def _behave(self, conversation: Conversation) -> None:
        headers = conversation.request.headers
        key = headers.get("api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        path = conversation.request.path
        if path.startswith("/denied"):
            await _answer(conversation, 401, {"error": {"message": f"Wrong key: {all_forms(key)}"}})
        elif path.endswith("/models"):
            await _answer(conversation, 200, {"data": [{"id": key}]})
        elif path.endswith("/chat/completions"):
            await _stream(conversation, key)
        else:
            told = {
                "headers": dict(headers),
                "forms": [all_forms(each) for each in headers.values()],
            }
            await _answer(conversation, 200, told)


@asynccontextmanager
async def echoing_provider() -> AsyncIterator[EchoingProvider]:
    """Run one on the loopback; it is stopped with its conversations at the end."""
    server = EchoingProvider("127.0.0.1", "http")
    listening = await server.serve(None)
    try:
        yield server
    finally:
        listening.close()
        await server.stop()


def forms(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret may be found: as it is, in base64, in %XX and in hex."""
    data = secret.encode()
    yield secret
    yield quote(secret, safe="")
    yield data.hex()
    yield data.hex().upper()
    for shift in range(3):  # whatever stands before it, its middle reads alike
        packed = base64.b64encode(b"\0" * shift + data).decode()
        yield packed[4:-4]
        yield packed[4:-4].translate(str.maketrans("+/", "-_"))


def all_forms(secret: str) -> str:
    """Return a secret in every form in which servers tell it."""
    data = secret.encode()
    packed = base64.b64encode(b"user:" + data).decode()
    return " ".join([secret, quote(secret, safe=""), packed, data.hex(), json.dumps(secret)])


async def _answer(conversation: Conversation, status: int, document: Any) -> None:
    await conversation.answer(status, json.dumps(document).encode(), _JSON)


async def _stream(conversation: Conversation, key: str) -> None:
    half = len(key) // 2
    pieces = ["I was told ", key[:half], key[half:], ", that is ", all_forms(key), *key, "."]
    await conversation.head(200, _EVENTS | {"Connection": "close"})
    for piece in pieces:
        await _send(conversation, {"delta": {"role": "assistant", "content": piece}})
    await _send(conversation, {"delta": {}, "finish_reason": "stop"})
    await conversation.send(b"data: [DONE]\n\n")


async def _send(conversation: Conversation, choice: dict[str, Any]) -> None:
    event = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": None, **choice}],
    }
    await conversation.send(f"data: {json.dumps(event)}\n\n".encode())
