"""Answers that are proper HTTP: statuses, bodies, echoes, and what works only after some times."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from tests.support.hostile.bodies import BODIES, PACKED, RETRY_AFTER, large_json
from tests.support.hostile.conversation import Conversation

Answer = Callable[[Conversation], Awaitable[None]]

_JSON = {"Content-Type": "application/json"}
#: How a header may be written into a body.
_MANNERS: Mapping[str, Callable[[str], str]] = {
    "text": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "url": lambda text: quote(text, safe=""),
}


def answers() -> Mapping[str, Answer]:
    """Return the answers of one server by name; the flaky ones count its requests."""
    failures: Counter[str] = Counter()

    async def flaky(conversation: Conversation) -> None:
        if await _works_now(conversation, failures):
            return
        await conversation.answer(503, b'{"error":"not yet"}', _JSON)

    async def flaky_reset(conversation: Conversation) -> None:
        if not await _works_now(conversation, failures):
            conversation.reset()

    return {
        **{name: _body(*each) for name, each in BODIES.items()},
        **{name: _packed(*each) for name, each in PACKED.items()},
        "status": _status,
        "retry-after": _retry_after,
        "redirect": _redirect,
        "no-content": _no_content,
        "chunked": _chunked,
        "large-json": _large_json,
        "echo": _echo,
        "echo-header": _echo_header,
        "echoed-key": _echoed_key,
        "moved": _moved,
        "with-cookie": _with_cookie,
        "flaky": flaky,
        "flaky-reset": flaky_reset,
    }


async def _works_now(conversation: Conversation, failures: Counter[str]) -> bool:
    """Answer once this path has failed often enough, and say whether that was so."""
    path = conversation.request.path
    failures[path] += 1
    if failures[path] <= conversation.number(1):
        return False
    await conversation.answer(200, json.dumps({"attempt": failures[path]}).encode(), _JSON)
    return True


def _body(content_type: str, body: bytes) -> Answer:
    async def send(conversation: Conversation) -> None:
        await conversation.answer(200, body, {"Content-Type": content_type})

    return send


def _packed(encoding: str, body: bytes) -> Answer:
    async def send(conversation: Conversation) -> None:
        await conversation.answer(200, body, {**_JSON, "Content-Encoding": encoding})

    return send


async def _status(conversation: Conversation) -> None:
    headers = {name: values[-1] for name, values in conversation.query.items()}
    status = conversation.number(500)
    await conversation.answer(status, json.dumps({"status": status}).encode(), _JSON | headers)


async def _retry_after(conversation: Conversation) -> None:
    value = RETRY_AFTER[conversation.arguments[0]]
    await conversation.answer(429, b'{"error":"slow down"}', {**_JSON, "Retry-After": value})


async def _redirect(conversation: Conversation) -> None:
    to = conversation.query["to"][0]
    await conversation.answer(conversation.number(302), b"", {"Location": to})


async def _no_content(conversation: Conversation) -> None:
    await conversation.head(204, {})


async def _chunked(conversation: Conversation) -> None:
    await conversation.head(200, {**_JSON, "Transfer-Encoding": "chunked"})
    for piece in (b'{"o', b'k":true}'):
        await conversation.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await conversation.send(b"0\r\n\r\n")


async def _large_json(conversation: Conversation) -> None:
    await conversation.answer(200, large_json(conversation.number(1)), _JSON)


async def _echo(conversation: Conversation) -> None:
    seen = conversation.request.as_json()
    told = {name: seen[name] for name in ("method", "path", "query", "headers", "body")}
    await conversation.answer(200, json.dumps(told).encode(), _JSON)


async def _echo_header(conversation: Conversation) -> None:
    value = conversation.request.headers.get(conversation.arguments[0].lower(), "")
    manner = conversation.query.get("as", ["text"])[0]
    status = int(conversation.query.get("status", ["200"])[0])
    if manner == "header":
        await conversation.answer(status, b"{}", {**_JSON, "X-Echo": value})
        return
    told = _MANNERS[manner](value)
    await conversation.answer(status, json.dumps({"header": told}).encode(), _JSON)


async def _echoed_key(conversation: Conversation) -> None:
    status, header, manner = conversation.arguments[:3]
    said = f"Wrong key: {_MANNERS[manner](conversation.request.headers[header])}."
    body = json.dumps({"error": {"message": said, "type": "odd", "status": "ODD"}}).encode()
    await conversation.answer(int(status), body, {**_JSON, "Connection": "close"})


async def _moved(conversation: Conversation) -> None:
    headers = {"Location": "/json", "Connection": "close"}
    await conversation.answer(conversation.number(302), b"", headers)


async def _with_cookie(conversation: Conversation) -> None:
    headers = {**_JSON, "Set-Cookie": "seen=1; Path=/", "Connection": "close"}
    await conversation.answer(conversation.number(200), b"{}", headers)
