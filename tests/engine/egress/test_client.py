"""Proves what the client sends, what it returns, and that each failure has its code."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from typing import Any

import pytest

from promptpilot import __version__
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.egress.messages import HttpRequest
from promptpilot.errors import StepFailed
from tests.engine.egress.conftest import LIMITS
from tests.support.hostile import RETRY_AFTER, HostileServer

#: What fails after a connection was made, and how.
FAILURES = {
    "/hang": "HTTP_TIMEOUT",
    "/hang-after-head": "HTTP_TIMEOUT",
    "/close": "NETWORK",
    "/reset": "NETWORK",
    "/cut": "NETWORK",
    "/reset-midway": "NETWORK",
    "/upgrade": "NETWORK",
    "/bad-status-line": "NETWORK",
    "/bad-chunk": "NETWORK",
    "/bad-length": "NETWORK",
    "/two-lengths": "NETWORK",
    "/bad-header": "NETWORK",
    "/bad-gzip": "NETWORK",
    "/cut-gzip": "NETWORK",
    "/nested-gzip": "NETWORK",
    "/gzip-and-more": "NETWORK",
    "/brotli": "NETWORK",
    "/huge/1": "RESPONSE_TOO_LARGE",
    "/huge-unannounced/1": "RESPONSE_TOO_LARGE",
    "/endless": "RESPONSE_TOO_LARGE",
    "/endless-head": "RESPONSE_TOO_LARGE",
    "/endless-informational": "RESPONSE_TOO_LARGE",
    "/header-flood": "RESPONSE_TOO_LARGE",
    "/header-long/10001": "RESPONSE_TOO_LARGE",
    "/gzip-bomb/1": "RESPONSE_TOO_LARGE",
    "/deflate-bomb/1": "RESPONSE_TOO_LARGE",
}


async def failure_of(client: HttpClient, request: HttpRequest) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await client.send(request)
    return caught.value


async def body_of(client: HttpClient, request: HttpRequest) -> Any:
    return json.loads((await client.send(request)).body)


async def test_a_request_arrives_as_it_was_given(server: HostileServer, client: HttpClient) -> None:
    url = server.url("/echo?a=%20b&c")

    told = await body_of(client, HttpRequest("PATCH", url, [("X-A", "b c")], b'{"d":1}'))

    assert (told["method"], told["path"], told["query"]) == ("PATCH", "/echo", "a=%20b&c")
    assert told["body"] == '{"d":1}'
    assert told["headers"]["x-a"] == "b c"


async def test_no_header_is_sent_but_the_given_ones_and_those_of_http(
    server: HostileServer, client: HttpClient
) -> None:
    given = [("Content-Type", "text/plain"), ("Idempotency-Key", "k1")]

    told = await body_of(client, HttpRequest("POST", server.url("/echo"), given, b"text"))

    assert told["headers"] == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "gzip, deflate",
        "connection": "close",
        "accept": "*/*",
        "user-agent": f"promptpilot/{__version__}",
        "content-length": "4",
    } | {name.lower(): value for name, value in given}


async def test_headers_of_courtesy_can_be_chosen(server: HostileServer, client: HttpClient) -> None:
    headers = [("ACCEPT", "text/plain"), ("user-agent", "mine/1")]

    told = await body_of(client, HttpRequest("GET", server.url("/echo"), headers))

    assert told["headers"]["accept"] == "text/plain"
    assert told["headers"]["user-agent"] == "mine/1"
    assert "content-length" not in told["headers"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_request_that_usually_has_a_body_says_when_it_has_none(
    server: HostileServer, client: HttpClient, method: str
) -> None:
    told = await body_of(client, HttpRequest(method, server.url("/echo")))

    assert told["headers"]["content-length"] == "0"


@pytest.mark.parametrize("path", ["/gzip", "/deflate", "/bare-deflate", "/json"])
async def test_a_body_is_returned_unpacked(
    server: HostileServer, client: HttpClient, path: str
) -> None:
    told = await body_of(client, HttpRequest("GET", server.url(path)))

    assert told == {"ok": True, "text": "grüße"}


async def test_a_body_in_chunks_is_put_together(server: HostileServer, client: HttpClient) -> None:
    assert await body_of(client, HttpRequest("GET", server.url("/chunked"))) == {"ok": True}


@pytest.mark.parametrize("status", [200, 201, 301, 400, 401, 404, 409, 429, 500, 503, 529, 599])
async def test_every_status_is_an_answer(
    server: HostileServer, client: HttpClient, status: int
) -> None:
    answer = await client.send(HttpRequest("GET", server.url(f"/status/{status}?x-one=1")))

    assert answer.status == status
    assert answer.headers["x-one"] == "1"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("kind", RETRY_AFTER)
async def test_odd_headers_are_passed_on_as_they_are(
    server: HostileServer, client: HttpClient, kind: str
) -> None:
    answer = await client.send(HttpRequest("GET", server.url(f"/retry-after/{kind}")))

    assert answer.headers["retry-after"] == RETRY_AFTER[kind]


async def test_an_answer_may_have_no_body(server: HostileServer, client: HttpClient) -> None:
    for request in (
        HttpRequest("GET", server.url("/no-content")),
        HttpRequest("GET", server.url("/empty")),
        HttpRequest("HEAD", server.url("/huge/100")),
    ):
        assert (await client.send(request)).body == b""


async def test_what_comes_after_the_announced_length_is_not_read(
    server: HostileServer, client: HttpClient
) -> None:
    answer = await client.send(HttpRequest("GET", server.url("/short-length")))

    assert answer.body == b"{}"


@pytest.mark.parametrize("path", FAILURES)
async def test_every_failure_has_its_code_and_an_unknown_outcome(
    server: HostileServer, client: HttpClient, path: str
) -> None:
    failure = await failure_of(client, HttpRequest("POST", server.url(path), (), b"{}"))

    assert failure.error_code == FAILURES[path]
    assert failure.is_retryable is (failure.error_code != "RESPONSE_TOO_LARGE")
    assert failure.is_outcome_unknown
    assert failure.message.startswith("Host 127.0.0.1: ")
    await server.journal.requests[0].wait_until_closed()


async def test_a_body_that_is_mostly_framing_is_broken_off(server: HostileServer) -> None:
    limits = replace(LIMITS, max_body_bytes=20_000, max_header_bytes=1_000)
    client = HttpClient(AllowList.of(["127.0.0.1"]), limits)

    failure = await failure_of(client, HttpRequest("GET", server.url("/tiny-chunks/19990")))

    assert failure.error_code == "RESPONSE_TOO_LARGE"


async def test_a_body_in_many_chunks_is_read(server: HostileServer, client: HttpClient) -> None:
    answer = await client.send(HttpRequest("GET", server.url("/tiny-chunks/5000")))

    assert answer.body == b"x" * 5_000


async def test_a_server_that_drips_is_given_up_in_the_end(server: HostileServer) -> None:
    client = HttpClient(AllowList.of(["127.0.0.1"]), replace(LIMITS, total_seconds=0.4))

    failure = await failure_of(client, HttpRequest("GET", server.url("/drip/1000")))

    (seen,) = server.journal.at("/drip/1000")
    await seen.wait_until_closed()
    assert failure.error_code == "HTTP_TIMEOUT"
    assert failure.is_outcome_unknown
    assert seen.is_abandoned


async def test_nobody_listens(client: HttpClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        failure = await failure_of(client, HttpRequest("GET", f"http://127.0.0.1:{port}/"))

    assert (failure.error_code, failure.is_retryable) == ("NETWORK", True)
    assert not failure.is_outcome_unknown


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("get", []),
        ("GET X", []),
        ("CONNECT", []),
        ("GET", [("Host", "other.example")]),
        ("GET", [("transfer-encoding", "chunked")]),
        ("GET", [("Content-Length", "5")]),
        ("GET", [("X Y", "1")]),
        ("GET", [("X-Y:", "1")]),
        ("GET", [("", "1")]),
        ("GET", [("X-Secret", "hunter2\r\nX-Evil: 1")]),
        ("GET", [("X-Secret", "hunter2\x00")]),
        ("GET", [("X-Secret", "hunter2ü")]),
    ],
)
async def test_what_cannot_be_sent_over_http_is_refused_before_it_is(
    server: HostileServer, client: HttpClient, method: str, headers: list[tuple[str, str]]
) -> None:
    failure = await failure_of(client, HttpRequest(method, server.url("/echo"), headers))

    assert (failure.error_code, failure.is_retryable) == ("REQUEST_INVALID", False)
    assert not failure.is_outcome_unknown
    assert "hunter2" not in failure.message
    assert server.journal.connections == 0


@pytest.mark.parametrize("path", ["/hang", "/bad-header", "/endless-head", "/echo-header/x-key"])
async def test_no_failure_and_no_value_shows_what_was_sent_or_answered(
    server: HostileServer, client: HttpClient, path: str
) -> None:
    secret = "hunter2"
    url = server.url(f"{path}?token={secret}&as=header")
    request = HttpRequest("POST", url, [("X-Key", secret)], secret.encode())

    try:
        shown = repr(await client.send(request))
    except StepFailed as failure:
        shown = f"{failure!r} {failure.details}"

    assert secret not in shown + repr(request)


async def test_one_client_serves_many_requests_at_once(
    server: HostileServer, client: HttpClient
) -> None:
    requests = [HttpRequest("GET", server.url(f"/status/200?x-n={n}")) for n in range(50)]

    answers = await asyncio.gather(*map(client.send, requests))

    assert [answer.headers["x-n"] for answer in answers] == [str(n) for n in range(50)]


async def test_a_flaky_server_works_at_last(server: HostileServer, client: HttpClient) -> None:
    request = HttpRequest("GET", server.url("/flaky/2/a"))

    statuses = [(await client.send(request)).status for _ in range(3)]

    assert statuses == [503, 503, 200]
    assert len(server.journal.at("/flaky/2/a")) == 3
