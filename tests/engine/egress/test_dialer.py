"""Proves that names are looked up once, that every address counts, and what is dialled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore2
import pytest

from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.egress.dialer import Dialer
from promptpilot.engine.egress.messages import HttpRequest
from promptpilot.errors import StepFailed
from tests.engine.egress.conftest import LIMITS
from tests.support.hostile import HostileServer

PUBLIC, OTHER_PUBLIC, PUBLIC_V6 = "93.184.216.34", "1.1.1.1", "2606:4700:4700::1111"


class Names:
    """Answers each look-up with the next list of addresses, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the next answer."""
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Sockets(httpcore2.AsyncNetworkBackend):
    """Notes what is dialled, and leads all of it to one server or nowhere."""

    def __init__(self, port: int | None, broken: Sequence[str] = ()) -> None:
        self.dialled: list[str] = []
        self.failure: Exception = httpcore2.ConnectError(OSError(111, "refused"))
        self._port = port
        self._broken = broken

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the server, unless `host` is broken."""
        self.dialled.append(host)
        if host in self._broken or self._port is None:
            raise self.failure
        return await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", self._port, timeout)

    async def sleep(self, seconds: float) -> None:
        """Give the loop a turn."""
        await asyncio.sleep(0)


async def code_of(dialer: Dialer, host: str = "name.example", port: int = 80) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await dialer.connect_tcp(host, port, timeout=1)
    assert not caught.value.is_outcome_unknown
    return caught.value


async def test_a_rebinding_name_is_looked_up_once_and_reaches_only_the_checked_address(
    server: HostileServer,
) -> None:
    names, sockets = Names([PUBLIC], ["127.0.0.1"]), Sockets(server.port)
    client = HttpClient(limits=LIMITS, dialer=Dialer(AllowList(), names, sockets))

    answer = await client.send(HttpRequest("GET", "http://rebind.example/json"))

    assert answer.status == 200
    assert names.asked == [("rebind.example", 80)]
    assert sockets.dialled == [PUBLIC]
    assert server.journal.requests[0].headers["host"] == "rebind.example"


async def test_a_name_that_is_rebound_between_two_requests_is_refused_then(
    server: HostileServer,
) -> None:
    sockets = Sockets(server.port)
    dialer = Dialer(AllowList(), Names([PUBLIC], ["127.0.0.1"]), sockets)
    client = HttpClient(limits=LIMITS, dialer=dialer)
    request = HttpRequest("GET", "http://rebind.example/json")
    await client.send(request)

    with pytest.raises(StepFailed) as caught:
        await client.send(request)

    assert caught.value.error_code == "SSRF_BLOCKED"
    assert sockets.dialled == [PUBLIC]


@pytest.mark.parametrize(
    "addresses",
    [
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [PUBLIC, PUBLIC_V6, "::1"],
        [PUBLIC, "fe80::1%2"],
        [PUBLIC] * 20 + ["169.254.169.254"],
        ["::ffff:93.184.216.34"],
    ],
)
async def test_one_address_that_is_not_public_refuses_the_name(addresses: list[str]) -> None:
    sockets = Sockets(None)

    failure = await code_of(Dialer(AllowList(), Names(addresses), sockets))

    assert failure.error_code == "SSRF_BLOCKED"
    assert not failure.is_retryable
    assert sockets.dialled == []


async def test_a_refusal_does_not_tell_what_a_name_leads_to() -> None:
    failure = await code_of(Dialer(AllowList(), Names(["10.11.12.13"]), Sockets(None)))

    assert "name.example" in failure.message
    assert "10.11" not in failure.message


async def test_addresses_are_tried_in_turn_until_one_answers(server: HostileServer) -> None:
    sockets = Sockets(server.port, broken=[PUBLIC_V6])
    names = Names([PUBLIC_V6, PUBLIC_V6, PUBLIC, OTHER_PUBLIC])

    stream = await Dialer(AllowList(), names, sockets).connect_tcp("name.example", 80, 1)

    await stream.aclose()
    assert sockets.dialled == [PUBLIC_V6, PUBLIC]


async def test_no_more_than_some_addresses_are_tried() -> None:
    sockets = Sockets(None)

    failure = await code_of(Dialer(AllowList(), Names([f"8.8.8.{n}" for n in range(100)]), sockets))

    assert failure.error_code == "NETWORK"
    assert len(sockets.dialled) == 4


async def test_an_address_that_does_not_answer_has_run_out_of_time() -> None:
    sockets = Sockets(None)
    sockets.failure = httpcore2.ConnectTimeout()

    failure = await code_of(Dialer(AllowList(), Names([PUBLIC]), sockets))

    assert (failure.error_code, failure.is_retryable) == ("HTTP_TIMEOUT", True)


async def test_a_port_of_the_system_is_refused() -> None:
    sockets = Sockets(None)

    failure = await code_of(Dialer(AllowList(), Names([PUBLIC]), sockets), port=25)

    assert failure.error_code == "SSRF_BLOCKED"
    assert sockets.dialled == []


async def test_a_name_that_does_not_resolve_may_do_so_later() -> None:
    async def no_name(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    failure = await code_of(Dialer(AllowList(), no_name, Sockets(None)))

    assert (failure.error_code, failure.is_retryable) == ("NETWORK", True)


async def test_a_name_without_an_address_may_get_one_later() -> None:
    failure = await code_of(Dialer(AllowList(), Names([]), Sockets(None)))

    assert (failure.error_code, failure.is_retryable) == ("NETWORK", True)


async def test_a_look_up_that_hangs_is_given_up() -> None:
    async def hangs(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(StepFailed) as caught:
        await Dialer(AllowList(), hangs, Sockets(None)).connect_tcp("name.example", 80, 0.05)

    assert (caught.value.error_code, caught.value.is_retryable) == ("HTTP_TIMEOUT", True)


async def test_the_system_looks_up_names_by_default(server: HostileServer) -> None:
    dialer = Dialer(AllowList.of(["127.0.0.1", "::1"]))

    stream = await dialer.connect_tcp("localhost", server.port, 1)

    await stream.aclose()


async def test_sockets_of_the_file_system_are_refused() -> None:
    with pytest.raises(StepFailed) as caught:
        await Dialer(AllowList()).connect_unix_socket("/run/docker.sock")

    assert caught.value.error_code == "SSRF_BLOCKED"
