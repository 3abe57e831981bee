"""Answers over HTTP that come one after another: GraphQL over SSE, and multipart for Apollo.

Rules: lines of SSE end in LF, those of multipart in CRLF. The first bytes go out at once, and a
sign of life whenever nothing happened for a while. A client that goes, or reads no more, closes
the source. A server that stops ends the response without its last frame, so that clients come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from graphql import GraphQLError
from starlette.types import Receive, Scope, Send

from promptpilot.clock import Clock
from promptpilot.front import negotiation
from promptpilot.front.encoding import dumps
from promptpilot.front.errors import Refused, masked_exception
from promptpilot.front.execution import body_of, formatted
from promptpilot.front.session import Session, until_refused
from promptpilot.stopping import SERVER_STOPS

_PATIENCE_SECONDS = 30.0  # for a client that does not read
_EVENTS_IN_A_ROW = 16  # after so many a source that never suspends lets others run

Bodies = AsyncGenerator[dict[str, Any], None]


@dataclass(frozen=True, slots=True)
class Framing:
    """How answers are written into one response."""

    content_type: str
    start: bytes
    sign_of_life: bytes
    end: bytes
    frame: Callable[[bytes], bytes]
    wrap: Callable[[dict[str, Any]], dict[str, Any]]


SSE: Final = Framing(
    content_type="text/event-stream; charset=utf-8",
    start=b":\n\n",
    sign_of_life=b":\n\n",
    end=b"event: complete\ndata:\n\n",
    frame=lambda data: b"event: next\ndata: " + data + b"\n\n",
    wrap=lambda body: body,
)

_DELIMITER = b"\r\n--graphql"


def _part(data: bytes) -> bytes:
    # The delimiter is sent with the part: readers take a part for whole when they see it.
    return b"\r\nContent-Type: application/json\r\n\r\n" + data + _DELIMITER


MULTIPART: Final = Framing(
    content_type='multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
    start=_DELIMITER,
    sign_of_life=_part(b"{}"),
    end=b"--\r\n",
    frame=_part,
    wrap=lambda body: {"payload": body},
)

FRAMINGS: Final = {negotiation.SSE: SSE, negotiation.MULTIPART: MULTIPART}


@dataclass(frozen=True, slots=True)
class StreamTerms:
    """What a stream is sent under."""

    framing: Framing
    keep_alive_seconds: float
    clock: Clock
    session: Session | None = None
    #: So often it is asked whether the caller may still read.
    trust: timedelta = timedelta(seconds=5)


class AnswerStream:
    """An ASGI app that sends `bodies` until they end, the client goes or the session does.

    `places` are given back when it ends.
    """

    def __init__(self, bodies: Bodies, terms: StreamTerms, places: ExitStack) -> None:
        self._bodies = bodies
        self._terms = terms
        self._places = places
        self._sending = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole response."""
        framing, stops = self._terms.framing, _stops(scope)
        with self._places:
            async with aclosing(self._bodies):
                await send({"type": "http.response.start", "status": 200, "headers": self._head()})
                await self._send(send, framing.start)
                ways = (self._tell(send), self._live(send), _gone(receive), _stopped(stops))
                await _first_of(*ways, self._refused(send))
            # Who is told of an end does not come back; a stopping server is not the end.
            end = b"" if stops.is_set() else framing.end
            with suppress(OSError, TimeoutError):
                await self._send(send, end, has_more=False)

    def _head(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", self._terms.framing.content_type.encode()),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # proxies are to pass every event on
        ]

    async def _tell(self, send: Send) -> None:
        life = asyncio.timeout(self._rest())
        try:
            async with life:
                await self._tell_all(send)
        except TimeoutError:
            if life.expired():
                await self._send_body(send, _expired())
        except OSError:
            return  # nobody takes what is sent
        except Refused as refused:
            await self._send_body(send, body_of(refused))
        except Exception as error:  # noqa: BLE001 -- an edge: the client gets a reference
            await self._send_body(send, {"errors": formatted([masked_exception(error)])})

    async def _tell_all(self, send: Send) -> None:
        count = 0
        async for body in self._bodies:
            await self._send_body(send, body)
            count += 1
            if count % _EVENTS_IN_A_ROW == 0:
                await asyncio.sleep(0)

    async def _live(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._terms.keep_alive_seconds)
            with suppress(OSError):
                await self._send(send, self._terms.framing.sign_of_life)

    async def _refused(self, send: Send) -> None:
        session = self._terms.session
        if session is None:
            await asyncio.Event().wait()  # the others end
            return
        refusal = await until_refused(session, self._terms.trust)
        await self._send_body(send, {"errors": formatted([masked_exception(refusal)])})

    def _rest(self) -> float | None:
        session = self._terms.session
        if session is None or session.expires_at is None:
            return None
        return max(0.0, (session.expires_at - self._terms.clock.now()).total_seconds())

    async def _send_body(self, send: Send, body: dict[str, Any]) -> None:
        framing = self._terms.framing
        with suppress(OSError):
            await self._send(send, framing.frame(dumps(framing.wrap(body))))

    async def _send(self, send: Send, body: bytes, *, has_more: bool = True) -> None:
        async with self._sending, asyncio.timeout(_PATIENCE_SECONDS):
            await send({"type": "http.response.body", "body": body, "more_body": has_more})


async def once(answer: Awaitable[dict[str, Any]]) -> Bodies:
    """Yield a single answer, for a client that takes streams alone."""
    yield await answer


async def told(body: dict[str, Any]) -> Bodies:
    """Yield a body that is known already."""
    yield body


def _expired() -> dict[str, Any]:
    message = "The token has expired; sign in again and go on from the last event."
    return {"errors": formatted([GraphQLError(message, extensions={"code": "UNAUTHENTICATED"})])}


async def _first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Return when the first of several ends, and end the others."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _stops(scope: Scope) -> asyncio.Event:
    return scope.get("state", {}).get(SERVER_STOPS) or asyncio.Event()


async def _stopped(stops: asyncio.Event) -> None:
    await stops.wait()
