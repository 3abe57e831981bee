"""The guarded HTTP client: one request, one connection, one answer within its limits.

Rules: no redirect is followed, no proxy and no other variable of the environment is read, no cookie
and no connection is kept. Every way to fail is a `StepFailed` that says whether a retry may help
and whether the other side may have acted.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator

import httpcore2

from promptpilot import __version__
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.dialer import Dialer
from promptpilot.engine.egress.exchange import exchange
from promptpilot.engine.egress.failures import (
    certificate_fault,
    not_sendable,
    timed_out,
    unreachable,
)
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.egress.messages import TRANSPORT_HEADERS, HttpRequest, HttpResponse
from promptpilot.engine.egress.unpacking import ACCEPTED_ENCODINGS
from promptpilot.engine.egress.urls import Target, parse_url

_METHOD = re.compile(r"[A-Z]{1,16}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class HttpClient:
    """Sends requests to addresses that may be dialled. Holds nothing open between two requests.

    May be used by many tasks at once. Whoever cancels `send` closes its connection.
    """

    def __init__(
        self,
        allowed: AllowList | None = None,
        limits: HttpLimits | None = None,
        *,
        dialer: Dialer | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Dial public addresses and `allowed` ones; trust whom the system trusts, or `tls`."""
        self._dialer = dialer or Dialer(allowed or AllowList())
        self._limits = limits or HttpLimits()
        self._tls = tls or httpcore2.default_ssl_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, whatever its status; its connection is closed then.

        Raises `StepFailed`: SSRF_BLOCKED and REQUEST_INVALID (nothing was sent), NETWORK,
        HTTP_TIMEOUT and RESPONSE_TOO_LARGE.
        """
        target = parse_url(request.url)
        prepared = _prepared(request, target, self._limits)
        is_connected = False
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                stream = await self._connect(target)
                is_connected = True
                try:
                    return await exchange(stream, prepared, self._limits)
                finally:
                    await stream.aclose()
        except TimeoutError:
            cause = f"it took more than {self._limits.total_seconds:g} s in all"
            raise timed_out(target.host, cause, is_outcome_unknown=is_connected) from None

    async def _connect(self, target: Target) -> httpcore2.AsyncNetworkStream:
        seconds = self._limits.connect_seconds
        stream = await self._dialer.connect_tcp(target.host, target.port, timeout=seconds)
        if not target.is_secure:
            return stream
        is_secured = False
        try:
            secured = await stream.start_tls(self._tls, target.host, timeout=seconds)
            is_secured = True
        except httpcore2.ConnectTimeout:
            raise timed_out(target.host, "the TLS handshake took too long") from None
        except (httpcore2.ConnectError, OSError) as error:
            cause = f"the TLS handshake failed{certificate_fault(error)}"
            raise unreachable(target.host, cause) from None
        finally:
            if not is_secured:
                await stream.aclose()
        return secured


def _prepared(request: HttpRequest, target: Target, limits: HttpLimits) -> httpcore2.Request:
    if not _METHOD.fullmatch(request.method) or request.method == "CONNECT":
        raise not_sendable("its method must be one like GET or POST")
    idle = limits.idle_seconds
    return httpcore2.Request(
        request.method,
        httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
        headers=[*_own_headers(request, target), *_given_headers(request)],
        content=request.body or b"",
        extensions={"timeout": {"read": idle, "write": idle}},
    )


def _own_headers(request: HttpRequest, target: Target) -> Iterator[tuple[str, str]]:
    given = {name.lower() for name, _ in request.headers}
    yield "Host", target.authority
    yield "Accept-Encoding", ACCEPTED_ENCODINGS
    yield "Connection", "close"
    if "accept" not in given:
        yield "Accept", "*/*"
    if "user-agent" not in given:
        yield "User-Agent", f"promptpilot/{__version__}"
    if request.body or request.method in _BODY_METHODS:
        yield "Content-Length", str(len(request.body or b""))


def _given_headers(request: HttpRequest) -> Iterator[tuple[str, str]]:
    for name, value in request.headers:
        if not _HEADER_NAME.fullmatch(name):
            raise not_sendable("the name of a header must be letters, digits and -")
        if name.lower() in TRANSPORT_HEADERS:
            raise not_sendable(f"the header {name} is set by the server itself; leave it out")
        if not _HEADER_VALUE.fullmatch(value):
            raise not_sendable(f"the header {name} must be one line of ASCII characters")
        yield name, value.strip()
