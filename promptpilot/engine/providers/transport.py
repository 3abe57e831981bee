"""The way to model providers: what their libraries send goes through the guard of the way out.

Rules: addresses are checked before they are dialled, redirects are not followed, no proxy, no
cookie and no other variable of the environment has a say. Connections are kept for the next call
of the same process. Every way to fail is a `StepFailed` of `egress.failures`, which a provider's
library passes on or wraps; `providers.failures` finds it again.

Units: seconds and bytes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import httpcore2
import httpx2

from promptpilot.clock import Clock, SystemClock
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.dialer import Dialer
from promptpilot.engine.egress.failures import (
    certificate_fault,
    not_sendable,
    timed_out,
    too_large,
    unreachable,
)
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.egress.unpacking import Body, BodyBroken, BodyTooLarge
from promptpilot.engine.egress.urls import Target, parse_url
from promptpilot.engine.providers.events_limit import MAX_EVENT_BYTES, EventLimit
from promptpilot.errors import StepFailed

_KEPT_CONNECTIONS: Final = 50
#: Shorter than servers keep them, so that none is closed while a request is on its way.
_KEPT_SECONDS: Final = 3.0
#: What is sent in pieces has an envelope around some characters each.
_MAX_STREAM_BYTES: Final = 64_000_000
#: A body in chunks is larger on the wire; one in chunks of some bytes costs too much to read.
_MAX_CHUNK_OVERHEAD: Final = 2
#: Looking a name up, connecting and the TLS handshake.
_STAGES_OF_CONNECTING: Final = 3
_NOT_PASSED_ON: Final = frozenset({b"content-encoding", b"content-length", b"set-cookie"})


@dataclass(frozen=True, slots=True)
class ProviderTimes:
    """How long a provider may take, in seconds; the whole is limited by the step's own time.

    `connect` holds for each of looking a name up, connecting and the TLS handshake; `first_token`
    until an answer begins and again until its first byte; `idle` between two pieces of it.
    """

    connect: float = 10.0
    first_token: float = 60.0
    idle: float = 30.0


class ProviderHttp:
    """What a process reaches model providers with: one client, opened when it is first needed."""

    def __init__(
        self,
        allowed: AllowList | None = None,
        times: ProviderTimes | None = None,
        limits: HttpLimits | None = None,
        *,
        dialer: Dialer | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Dial public addresses and `allowed` ones; trust whom the system trusts, or `tls`."""
        self.times = times or ProviderTimes()
        self.clock = clock or SystemClock()
        self._dialer = dialer or Dialer(allowed or AllowList())
        self._limits = limits or HttpLimits()
        self._tls = tls
        self._client: httpx2.AsyncClient | None = None

    def client(self) -> httpx2.AsyncClient:
        """Return the client; it belongs to the running loop and is never closed by who uses it."""
        if self._client is None:
            transport = GuardedTransport(self._dialer, self.times, self._limits, self._tls)
            self._client = httpx2.AsyncClient(
                transport=transport, trust_env=False, follow_redirects=False, timeout=None
            )
        return self._client

    async def aclose(self) -> None:
        """Close every connection. May be called twice; a later call of `client` opens anew."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends requests of httpx2 to addresses that may be dialled, within times and limits."""

    def __init__(
        self,
        dialer: Dialer,
        times: ProviderTimes,
        limits: HttpLimits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._times = times
        self._limits = limits
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=_KEPT_CONNECTIONS,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=_MeteredBackend(dialer, limits),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, whose body is read as it comes. Raises `StepFailed`."""
        target = parse_url(str(request.url))
        times = self._times
        patience = _STAGES_OF_CONNECTING * times.connect + times.first_token
        silence = f"it did not begin to answer within {times.first_token:g} s"
        with _told_as_failures(target.host, silence):
            async with asyncio.timeout(patience):
                answer = await self._pool.handle_async_request(self._prepared(request, target))
        body = _GuardedBody(answer, target.host, times)
        try:
            body.begin(self._limits)
        except BaseException:
            await body.aclose()
            raise
        kept = [(name, value) for name, value in answer.headers if _is_passed_on(name)]
        return httpx2.Response(answer.status, headers=kept, stream=body)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    def _prepared(self, request: httpx2.Request, target: Target) -> httpcore2.Request:
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        headers = [
            (name, value)
            for name, value in request.headers.raw
            if name.lower() not in {b"accept-encoding", b"cookie"}
        ]
        times = self._times
        return httpcore2.Request(
            request.method,
            url,
            headers=[*headers, (b"Accept-Encoding", b"identity")],
            content=cast("httpx2.AsyncByteStream", request.stream),
            extensions={
                "timeout": {
                    "connect": times.connect,
                    "read": max(times.first_token, times.idle),
                    "write": times.idle,
                }
            },
        )


class _GuardedBody(httpx2.AsyncByteStream):
    """The body of an answer: unpacked, within its limits, and never silent for too long."""

    def __init__(self, answer: httpcore2.Response, host: str, times: ProviderTimes) -> None:
        self._answer = answer
        self._host = host
        self._times = times
        self._pieces = answer.aiter_stream()
        self._is_begun = False

    def begin(self, limits: HttpLimits) -> None:
        """Look at the head. Raises `StepFailed` for one that is too large or announces too much."""
        if _size_of(self._answer) > limits.max_header_bytes:
            raise too_large(self._host, "the head", limits.max_header_bytes)
        headers = {name.lower(): value.decode("latin-1") for name, value in self._answer.headers}
        is_stream = headers.get(b"content-type", "").lower().startswith("text/event-stream")
        self._max_bytes = _MAX_STREAM_BYTES if is_stream else limits.max_body_bytes
        self._event = EventLimit() if is_stream else None
        declared = headers.get(b"content-length", "")
        with _unpacked_within(self._host, self._max_bytes):
            if declared.isdigit() and int(declared) > self._max_bytes:
                raise BodyTooLarge
            self._body = Body(headers.get(b"content-encoding", ""), self._max_bytes)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the unpacked pieces. Raises `StepFailed`.

        Whoever begins again while pieces are left has read what it needs and only empties the
        connection: how that ends is no failure of the answer.
        """
        is_emptied, self._is_begun = self._is_begun, True
        try:
            async for piece in self._pieces_in_time():
                yield piece
        except StepFailed:
            if not is_emptied:
                raise

    async def aclose(self) -> None:
        """Let go of the connection; it is closed unless the whole body was read."""
        await self._answer.aclose()

    async def _pieces_in_time(self) -> AsyncIterator[bytes]:
        patience = self._times.first_token
        async with aclosing(self._pieces):
            while (piece := await self._next(patience)) is not None:
                if piece:
                    yield piece
                patience = self._times.idle

    async def _next(self, patience: float) -> bytes | None:
        silence = f"nothing of its answer came for {patience:g} s"
        with _told_as_failures(self._host, silence):
            async with asyncio.timeout(patience):
                piece = await anext(self._pieces, None)
        with _unpacked_within(self._host, self._max_bytes):
            if piece is None:
                self._body.finish()
                return None
            self._body.feed(piece)
            unpacked = self._body.take()
        if self._event is not None and self._event.is_passed_by(unpacked):
            raise too_large(self._host, "one event", MAX_EVENT_BYTES)
        return unpacked


class _MeteredBackend(httpcore2.AsyncNetworkBackend):
    """Dials with the guard and counts what comes in."""

    def __init__(self, dialer: Dialer, limits: HttpLimits) -> None:
        self._dialer = dialer
        self._limits = limits

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        stream = await self._dialer.connect_tcp(host, port, timeout)
        max_bytes = _MAX_CHUNK_OVERHEAD * max(_MAX_STREAM_BYTES, self._limits.max_body_bytes)
        return _MeteredStream(stream, too_large(host, "all", max_bytes), max_bytes)

    async def sleep(self, seconds: float) -> None:
        await self._dialer.sleep(seconds)


class _MeteredStream(httpcore2.AsyncNetworkStream):
    """A connection on which no answer is endless: what was read counts from the last write on."""

    def __init__(
        self, stream: httpcore2.AsyncNetworkStream, failure: StepFailed, max_bytes: int
    ) -> None:
        self._stream = stream
        self._failure = failure
        self._max_bytes = max_bytes
        self._read_bytes = 0

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
    ) -> bytes:
        if self._read_bytes > self._max_bytes:
            raise self._failure
        data = await self._stream.read(max_bytes, timeout)
        self._read_bytes += len(data)
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
    ) -> None:
        self._read_bytes = 0
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
    ) -> httpcore2.AsyncNetworkStream:
        secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _MeteredStream(secured, self._failure, self._max_bytes)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@contextmanager
def _told_as_failures(host: str, silence: str) -> Iterator[None]:
    """Turn what can go wrong with an answer into the failure of a step."""
    try:
        yield
    except httpcore2.ConnectTimeout:
        raise timed_out(host, "connecting took too long") from None
    except (httpcore2.TimeoutException, TimeoutError):
        raise timed_out(host, silence, is_outcome_unknown=True) from None
    except httpcore2.ConnectError as error:
        cause = f"the TLS handshake failed{certificate_fault(error)}"
        raise unreachable(host, cause) from None
    except (httpcore2.NetworkError, OSError):  # TLS that breaks later is told as it comes
        raise unreachable(host, "the connection was cut", is_outcome_unknown=True) from None
    except httpcore2.LocalProtocolError:
        raise not_sendable("a header holds what cannot stand in one") from None
    except httpcore2.ProtocolError:
        cause = "its answer ends too early or is no HTTP"
        raise unreachable(host, cause, is_outcome_unknown=True) from None


@contextmanager
def _unpacked_within(host: str, max_bytes: int) -> Iterator[None]:
    """Turn what can be wrong with a body into the failure of a step."""
    try:
        yield
    except BodyBroken as error:
        raise unreachable(host, str(error), is_outcome_unknown=True) from None
    except BodyTooLarge:
        raise too_large(host, "the body", max_bytes) from None


def _is_passed_on(name: bytes) -> bool:
    """Whether a header of an answer is; the body is unpacked here, and no cookie is kept."""
    return name.lower() not in _NOT_PASSED_ON


def _size_of(answer: httpcore2.Response) -> int:
    """Return the bytes of the headers with their separators."""
    return sum(len(name) + len(value) + 4 for name, value in answer.headers)
