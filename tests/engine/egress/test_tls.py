"""Proves that a conversation is encrypted with the server that the URL names, and no other."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.egress.dialer import Dialer
from promptpilot.engine.egress.messages import HttpRequest
from promptpilot.errors import StepFailed
from tests.engine.egress.conftest import LIMITS
from tests.engine.egress.test_dialer import PUBLIC, Names, Sockets
from tests.support.certificates import Certificate, make_certificate
from tests.support.hostile import HostileServer, hostile_server

NAME = "secure.example"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Give a certificate for NAME that nobody trusts by default."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    return make_certificate(folder, NAME)


@pytest.fixture
async def secure_server(certificate: Certificate) -> AsyncIterator[HostileServer]:
    """Give a hostile server that encrypts."""
    async with hostile_server(tls=certificate.of_server()) as running:
        yield running


def client_for(port: int, tls: ssl.SSLContext | None) -> HttpClient:
    """Return a client for which every name is the server at `port`."""
    dialer = Dialer(AllowList(), Names([PUBLIC]), Sockets(port))
    return HttpClient(limits=replace(LIMITS, connect_seconds=0.5), dialer=dialer, tls=tls)


async def failure_of(client: HttpClient, url: str) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await client.send(HttpRequest("POST", url))
    assert not caught.value.is_outcome_unknown
    assert caught.value.is_retryable
    return caught.value


async def test_the_name_of_the_url_is_asked_for_and_checked(
    secure_server: HostileServer, certificate: Certificate
) -> None:
    client = client_for(secure_server.port, certificate.of_client())

    answer = await client.send(HttpRequest("GET", f"https://{NAME}/echo"))

    assert answer.status == 200
    assert certificate.names_asked == [NAME]


async def test_a_certificate_of_another_name_is_refused(
    secure_server: HostileServer, certificate: Certificate
) -> None:
    client = client_for(secure_server.port, certificate.of_client())

    failure = await failure_of(client, "https://other.example/echo")

    assert failure.error_code == "NETWORK"
    assert "Hostname mismatch" in failure.message
    assert secure_server.journal.requests == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    secure_server: HostileServer,
) -> None:
    failure = await failure_of(client_for(secure_server.port, None), f"https://{NAME}/echo")

    assert failure.error_code == "NETWORK"
    assert "self-signed certificate" in failure.message
    assert secure_server.journal.requests == []


async def test_a_server_that_speaks_no_tls_is_refused() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        failure = await failure_of(client_for(port, None), f"https://{NAME}/echo")

    assert failure.error_code == "NETWORK"


async def test_encryption_that_breaks_later_leaves_the_outcome_unknown(
    certificate: Certificate,
) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        os.write(writer.get_extra_info("socket").fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))
        writer.close()

    tls = certificate.of_server()
    async with await asyncio.start_server(break_off, "127.0.0.1", 0, ssl=tls) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(StepFailed) as caught:
            await client_for(port, certificate.of_client()).send(
                HttpRequest("GET", f"https://{NAME}/")
            )

    assert caught.value.error_code == "NETWORK"
    assert caught.value.is_outcome_unknown


async def test_a_handshake_that_hangs_is_given_up(server: HostileServer) -> None:
    failure = await failure_of(client_for(server.port, None), f"https://{NAME}/echo")

    assert failure.error_code == "HTTP_TIMEOUT"
