"""Opens connections: looks a name up once, checks every address, and dials a checked one.

Rules: nothing is looked up between the check and the connection, so a name that answers
differently the next time gains nothing. Whoever dials keeps the name for the `Host` header and the
certificate. Sockets of this machine's file system are never opened.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any, Never

import httpcore2

from promptpilot.engine.egress.addresses import AllowList, IpAddress, may_dial
from promptpilot.engine.egress.failures import refused, timed_out, unreachable

#: Looks a host up at a port: its addresses as text, in the order in which to try them.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

_MAX_DIALLED = 4


class Dialer(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses and to those of an operator's list, and to no others."""

    def __init__(
        self,
        allowed: AllowList,
        resolve: Resolver | None = None,
        sockets: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        """Dial with `sockets` what `resolve` finds; by default those of the system."""
        self._allowed = allowed
        self._resolve = resolve or _system_resolver
        self._sockets = sockets or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection to a checked address of `host`.

        `timeout` holds for looking the name up and again for connecting. Raises `StepFailed`:
        SSRF_BLOCKED, NETWORK or HTTP_TIMEOUT; nothing was sent then.
        """
        addresses = await self._checked_addresses(host, port, timeout)
        return await self._dial(host, port, addresses, timeout)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
        socket_options: Iterable[Any] | None = None,
    ) -> Never:
        """Refuse. Raises `StepFailed` SSRF_BLOCKED."""
        raise refused("", "sockets of the file system are not called")

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        await self._sockets.sleep(seconds)

    async def _checked_addresses(
        self, host: str, port: int, seconds: float | None
    ) -> Sequence[IpAddress]:
        addresses = [ip_address(text) for text in await self._looked_up(host, port, seconds)]
        if not addresses:
            raise unreachable(host, "the name has no address")
        if not all(may_dial(address, port, self._allowed) for address in addresses):
            raise refused(
                host,
                f"it may not be called at port {port}; ports 80, 443 and from 1024 on of public "
                "addresses may, and what PROMPTPILOT_EGRESS_ALLOW names",
            )
        return list(dict.fromkeys(addresses))

    async def _looked_up(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        if _is_address(host):
            return [host]
        try:
            async with asyncio.timeout(seconds):
                return await self._resolve(host, port)
        except TimeoutError:
            raise timed_out(host, f"its name was not found within {seconds:g} s") from None
        except (OSError, UnicodeError):
            raise unreachable(host, "its name does not resolve") from None

    async def _dial(
        self, host: str, port: int, addresses: Sequence[IpAddress], seconds: float | None
    ) -> httpcore2.AsyncNetworkStream:
        """Try some addresses in turn; each gets its share of the time that is left."""
        clock = asyncio.get_running_loop().time
        give_up_at = None if seconds is None else clock() + seconds
        tried = addresses[:_MAX_DIALLED]
        failure = unreachable(host, "it has no address")
        for index, address in enumerate(tried):
            share = None if give_up_at is None else (give_up_at - clock()) / (len(tried) - index)
            try:
                return await self._sockets.connect_tcp(str(address), port, timeout=share)
            except httpcore2.ConnectTimeout:
                failure = timed_out(host, "it did not take the connection in time")
            except httpcore2.ConnectError as error:
                failure = unreachable(host, f"it cannot be connected to ({_reason_of(error)})")
        raise failure


def _reason_of(error: BaseException) -> str:
    """Return in the system's words why a connection failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    return "no connection"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _system_resolver(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]
