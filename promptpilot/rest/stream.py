"""Sends the events of an execution as they happen: server-sent events, `id:` is their number.

Rules: what was stored comes first, then what happens, without gap or repetition; the stream ends
after the final event, or when the server stops: then the reader goes on at another one. Nothing is
buffered: a reader that does not take what is sent has gone after a while, and whoever may no longer
read is cut off at the next sign of life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from promptpilot import ids
from promptpilot.engine.api import Engine
from promptpilot.engine.feed import follow
from promptpilot.engine.lifecycle import FINAL
from promptpilot.errors import InvalidInput, Unauthenticated, Unavailable
from promptpilot.instants import instant_text
from promptpilot.models import ExecutionEvent
from promptpilot.rest.bearer import identify
from promptpilot.rest.download import PATIENCE
from promptpilot.rest.errors import answer_error
from promptpilot.rest.executions import find_execution
from promptpilot.stopping import SERVER_STOPS

#: How often a stream without events shows that it lives, and its reader is asked for again.
SIGN_OF_LIFE: Final = timedelta(seconds=15)
MEDIA_TYPE: Final = "text/event-stream"

_HEADERS: Final = {
    "content-type": f"{MEDIA_TYPE}; charset=utf-8",
    "cache-control": "private, no-store",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
}
_MAX_DIGITS: Final = 15


async def stream_events(request: Request, engine: Engine) -> Response:
    """Answer with the events after `Last-Event-ID`; 204 when none can follow."""
    principal = await identify(request, engine)
    row = await find_execution(principal, request.path_params["execution_id"])
    after = _last_seen(request)
    if row.status in FINAL and after >= row.last_seq:
        return Response(status_code=204)  # a browser would connect again and again
    if request.method == "HEAD":
        return Response(headers=_HEADERS)
    return EventStream(request, engine, row.id, after)


class EventStream(Response):
    """The events of one execution, for as long as the caller reads and may read."""

    def __init__(self, request: Request, engine: Engine, execution_id: str, after: int) -> None:
        super().__init__(None, 200, _HEADERS)
        self._request = request
        self._engine = engine
        self._execution_id = execution_id
        self._after = after
        self._sending = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the final event, or until the caller goes or may read no more."""
        head = [each for each in self.raw_headers if each[0] != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        ways = (self._tell(send), self._live(send), _until_gone(receive), _until_stop(scope))
        await _first_of(*ways)
        with suppress(OSError, TimeoutError):
            await self._send(send, b"", has_more=False)

    async def _tell(self, send: Send) -> None:
        engine = self._engine
        live = follow(self._execution_id, self._after, engine.feed, engine.event_reads)
        try:
            async with aclosing(live) as pages:
                async for page in pages:
                    await self._send(send, b"".join(map(_frame, page)))
        except (OSError, TimeoutError):
            return  # nobody takes what is sent
        except Exception as error:  # noqa: BLE001 -- an edge: the client gets a reference
            problem = bytes(answer_error(error, self._engine.clock).body)
            await self._send(send, b"event: problem\ndata: " + problem + b"\n\n")

    async def _live(self, send: Send) -> None:
        """Send a comment now and then, and return once the caller may read no more."""
        while True:
            with suppress(Unavailable):  # nobody can tell; it goes on until somebody can
                await self._send(send, b": still here\n\n")
                await asyncio.sleep(SIGN_OF_LIFE.total_seconds())
                await identify(self._request, self._engine)

    async def _send(self, send: Send, body: bytes, *, has_more: bool = True) -> None:
        async with self._sending, asyncio.timeout(PATIENCE.total_seconds()):
            await send({"type": "http.response.body", "body": body, "more_body": has_more})


async def _first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Return when the first of several ends, and end the others."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(Unauthenticated, OSError, TimeoutError):
        for task in done:
            task.result()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_stop(scope: Scope) -> None:
    stops: asyncio.Event = scope.get("state", {}).get(SERVER_STOPS) or asyncio.Event()
    await stops.wait()


def _frame(event: ExecutionEvent) -> bytes:
    data = orjson.dumps(show_event(event))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.kind.encode(), data)


def show_event(event: ExecutionEvent) -> dict[str, Any]:
    """Return an event as callers see it."""
    path = event.path
    return {
        "executionId": event.execution_id,
        "sequence": event.seq,
        "kind": event.kind,
        "occurredAt": instant_text(event.at),
        "stepExecutionId": path and ids.step_execution_id(event.execution_id, path),
        "attempt": event.attempt,
        "fromStatus": event.from_status,
        "toStatus": event.to_status,
    }


def _last_seen(request: Request) -> int:
    text = request.headers.get("last-event-id", "").strip() or "0"
    if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS:
        return int(text)
    message = f"Last-Event-ID is {text[:40]!r}; it must be the id of an event, a whole number."
    raise InvalidInput(message, ("Last-Event-ID",))
