"""Sends one request over an open connection and reads the answer within its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager

import httpcore2

from promptpilot.engine.egress.failures import timed_out, too_large, unreachable
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.egress.messages import HttpResponse
from promptpilot.engine.egress.unpacking import Body, BodyBroken, BodyTooLarge
from promptpilot.errors import StepFailed

_READ_BYTES = 16 * 1024
#: A body in chunks is larger on the wire; one in chunks of some bytes costs too much to read.
_MAX_CHUNK_OVERHEAD = 2


class _MeteredStream(httpcore2.AsyncNetworkStream):
    """Reads from a connection until a limit, so that no part of an answer is endless."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = 0
        self._failure: StepFailed | None = None

    def allow(self, count: int, failure: StepFailed) -> None:
        """Let `count` more bytes be read; raise `failure` instead of reading further."""
        self._left, self._failure = count, failure

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
    ) -> bytes:
        if self._left <= 0 and self._failure is not None:
            raise self._failure
        data = await self._stream.read(min(max_bytes, _READ_BYTES), timeout)
        self._left -= len(data)
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
    ) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()


async def exchange(
    stream: httpcore2.AsyncNetworkStream, request: httpcore2.Request, limits: HttpLimits
) -> HttpResponse:
    """Send `request` over `stream` and return the whole answer; the stream stays to be closed.

    Raises `StepFailed` NETWORK, HTTP_TIMEOUT or RESPONSE_TOO_LARGE, each with an unknown outcome.
    """
    host = request.url.host.decode("ascii")
    metered = _MeteredStream(stream)
    connection = httpcore2.AsyncHTTP11Connection(request.url.origin, metered)
    with _told_as_failures(host, limits):
        headers_failure = too_large(host, "the head", limits.max_header_bytes)
        metered.allow(limits.max_header_bytes + _READ_BYTES, headers_failure)
        response = await connection.handle_async_request(request)
        if _size_of(response) > limits.max_header_bytes:
            raise headers_failure
        body_failure = too_large(host, "the body", limits.max_body_bytes)
        on_wire = _MAX_CHUNK_OVERHEAD * limits.max_body_bytes + limits.max_header_bytes
        metered.allow(on_wire, body_failure)
        return await _read(response, is_bodiless=request.method == b"HEAD", limits=limits)


async def _read(
    response: httpcore2.Response, *, is_bodiless: bool, limits: HttpLimits
) -> HttpResponse:
    headers = _headers_of(response)
    declared = headers.get("content-length", "")
    if not is_bodiless and declared.isdigit() and int(declared) > limits.max_body_bytes:
        raise BodyTooLarge
    body = Body(headers.get("content-encoding", ""), limits.max_body_bytes)
    async with aclosing(response.aiter_stream()) as pieces:
        async for piece in pieces:
            body.feed(piece)
    return HttpResponse(response.status, headers, body.finish())


@contextmanager
def _told_as_failures(host: str, limits: HttpLimits) -> Iterator[None]:
    """Turn what can go wrong with an answer into the failure of a step."""
    try:
        yield
    except httpcore2.TimeoutException:
        cause = f"nothing came or went for {limits.idle_seconds:g} s"
        raise timed_out(host, cause, is_outcome_unknown=True) from None
    except (httpcore2.NetworkError, OSError):  # TLS that breaks later is told as it comes
        raise unreachable(host, "the connection was cut", is_outcome_unknown=True) from None
    except httpcore2.ProtocolError:
        cause = "its answer ends too early or is no HTTP"
        raise unreachable(host, cause, is_outcome_unknown=True) from None
    except BodyBroken as error:
        raise unreachable(host, str(error), is_outcome_unknown=True) from None
    except BodyTooLarge:
        raise too_large(host, "the body", limits.max_body_bytes) from None


def _headers_of(response: httpcore2.Response) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _size_of(response: httpcore2.Response) -> int:
    """Return the bytes of the headers with their separators."""
    return sum(len(name) + len(value) + 4 for name, value in response.headers)
