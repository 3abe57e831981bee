"""Proves that no server, however it behaves, makes an adapter hang, burst, leak or fail untyped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.limits import HttpLimits
from promptpilot.engine.providers.base import ModelReply, ModelRequest
from promptpilot.engine.providers.registry import ADAPTERS, open_providers
from promptpilot.engine.providers.transport import ProviderHttp, ProviderTimes
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed
from tests.support.hostile import HostileServer, hostile_server

KEY = "sk-test-0815-never-told-to-anybody"
TIMES = ProviderTimes(connect=2.0, first_token=0.3, idle=0.2)
LIMITS = HttpLimits(max_body_bytes=100_000, max_header_bytes=10_000)

#: What the server does -> the code, and whether the provider may have done its work.
FAILURES = {
    "/hang": ("PROVIDER_TIMEOUT", True),
    "/hang-after-head": ("PROVIDER_TIMEOUT", True),
    "/close": ("NETWORK", True),
    "/reset": ("NETWORK", True),
    "/cut": ("NETWORK", True),
    "/reset-midway": ("NETWORK", True),
    "/bad-status-line": ("NETWORK", True),
    "/bad-chunk": ("NETWORK", True),
    "/bad-length": ("NETWORK", True),
    "/two-lengths": ("NETWORK", True),
    "/bad-header": ("NETWORK", True),
    "/bad-gzip": ("NETWORK", True),
    "/cut-gzip": ("NETWORK", True),
    "/brotli": ("NETWORK", True),
    "/endless-head": ("NETWORK", True),
    "/header-flood": ("NETWORK", True),
    "/header-long/10001": ("OUTPUT_TOO_LARGE", True),
    "/huge/1": ("OUTPUT_TOO_LARGE", True),
    "/huge-unannounced/1": ("OUTPUT_TOO_LARGE", True),
    "/endless": ("OUTPUT_TOO_LARGE", True),
    "/gzip-bomb/1": ("OUTPUT_TOO_LARGE", True),
    "/deflate-bomb/1": ("OUTPUT_TOO_LARGE", True),
    "/status/408": ("PROVIDER_TIMEOUT", True),
    "/status/409": ("PROVIDER_UNAVAILABLE", False),
    "/status/500": ("PROVIDER_UNAVAILABLE", True),
    "/status/503": ("PROVIDER_UNAVAILABLE", True),
    "/status/529": ("PROVIDER_UNAVAILABLE", True),
    "/status/429": ("PROVIDER_RATE_LIMITED", False),
    "/status/401": ("PROVIDER_AUTH", False),
    "/status/403": ("PROVIDER_AUTH", False),
    "/status/402": ("PROVIDER_QUOTA_EXCEEDED", False),
    "/status/413": ("CONTEXT_TOO_LONG", False),
    "/status/400": ("PROVIDER_BAD_REQUEST", False),
    "/status/404": ("PROVIDER_BAD_REQUEST", False),
    "/status/422": ("PROVIDER_BAD_REQUEST", False),
}
#: Bodies with status 200 that are no answer of any provider.
NO_ANSWERS = [
    "json",
    "text",
    "html",
    "html-as-json",
    "bad-json",
    "nan",
    "long-number",
    "surrogate",
    "bad-utf8",
    "empty",
    "bytes",
]
RETRYABLE = {
    "PROVIDER_RATE_LIMITED",
    "PROVIDER_UNAVAILABLE",
    "PROVIDER_TIMEOUT",
    "NETWORK",
    "OUTPUT_INVALID",
}
#: How long a 429 asks to wait -> what is kept of it, in seconds.
WAITS = {
    "seconds": 2,
    "fraction": 1.5,
    "zero": None,
    "negative": None,
    "huge": None,
    "text": None,
    "empty": None,
    "date-past": None,
    "date-bad": None,
}

each_adapter = pytest.mark.parametrize("kind", sorted(ADAPTERS))
plain_and_streamed = pytest.mark.parametrize("is_streamed", [True, False])


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a hostile server of this test."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    """Give a way to this machine that loses patience soon."""
    opened = ProviderHttp(AllowList.of(["127.0.0.0/8"]), TIMES, LIMITS)
    yield opened
    await opened.aclose()


async def ask(
    http: ProviderHttp, kind: ModelProvider, base_url: str, *, is_streamed: bool = True
) -> ModelReply:
    extra: dict[str, Any] = {} if is_streamed else {"stream": False}
    request = ModelRequest("a-model", "Hello", "key-1", parameters={"extra": extra})
    account = Account(KEY, base_url)
    return await open_providers(http)[kind].complete(request, account, lambda _: None)


async def failure_of(
    http: ProviderHttp, kind: ModelProvider, base_url: str, *, is_streamed: bool = True
) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await ask(http, kind, base_url, is_streamed=is_streamed)
    return caught.value


@each_adapter
@plain_and_streamed
@pytest.mark.parametrize("path", FAILURES)
async def test_each_way_to_fail_has_its_code_after_one_request(
    server: HostileServer, http: ProviderHttp, kind: ModelProvider, path: str, *, is_streamed: bool
) -> None:
    failure = await failure_of(http, kind, server.url(path), is_streamed=is_streamed)

    assert (failure.error_code, failure.is_outcome_unknown) == FAILURES[path]
    assert failure.is_retryable == (failure.error_code in RETRYABLE)
    assert len(server.journal.requests) == 1


@each_adapter
@plain_and_streamed
@pytest.mark.parametrize("body", NO_ANSWERS)
async def test_what_is_no_answer_is_an_invalid_output(
    server: HostileServer, http: ProviderHttp, kind: ModelProvider, body: str, *, is_streamed: bool
) -> None:
    failure = await failure_of(http, kind, server.url(f"/{body}"), is_streamed=is_streamed)

    assert failure.error_code in {"OUTPUT_INVALID", "NETWORK"}
    assert failure.is_retryable
    assert failure.is_outcome_unknown


@each_adapter
@pytest.mark.parametrize("manner", ["text", "base64", "url"])
@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_no_error_repeats_the_key(
    server: HostileServer, http: ProviderHttp, kind: ModelProvider, manner: str, status: int
) -> None:
    header = {
        ModelProvider.GOOGLE: "x-goog-api-key",
        ModelProvider.AZURE_OPENAI: "api-key",
    }.get(kind, "authorization")

    failure = await failure_of(http, kind, server.url(f"/echoed-key/{status}/{header}/{manner}"))

    assert server.journal.requests[0].headers[header].endswith(KEY)
    assert "***" in failure.message
    assert KEY not in f"{failure.message} {failure.details}"


@each_adapter
@pytest.mark.parametrize("wait", WAITS)
async def test_a_wait_is_kept_if_it_makes_sense(
    server: HostileServer, http: ProviderHttp, kind: ModelProvider, wait: str
) -> None:
    failure = await failure_of(http, kind, server.url(f"/retry-after/{wait}"))

    seconds = WAITS[wait]
    assert failure.retry_after == (None if seconds is None else timedelta(seconds=seconds))
    assert failure.error_code == "PROVIDER_RATE_LIMITED"


@each_adapter
async def test_a_redirect_is_not_followed(
    server: HostileServer, http: ProviderHttp, kind: ModelProvider
) -> None:
    failure = await failure_of(http, kind, server.url("/moved/307"))

    assert failure.error_code == "PROVIDER_BAD_REQUEST"
    assert "redirect" in failure.message
    assert len(server.journal.requests) == 1


@each_adapter
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "10.0.0.1", "0x7f000001"]
)
async def test_no_private_address_is_dialled_unless_the_operator_allows_it(
    server: HostileServer, kind: ModelProvider, host: str
) -> None:
    guarded = ProviderHttp(times=TIMES)

    failure = await failure_of(guarded, kind, server.url("/json", host=host))

    await guarded.aclose()
    assert failure.error_code == "SSRF_BLOCKED"
    assert not failure.is_retryable
    assert server.journal.connections == 0


@each_adapter
@pytest.mark.parametrize("key", ["", "sk\n1", "schlüssel", "sk 1"])
async def test_a_key_that_cannot_be_sent_is_told_without_it(
    server: HostileServer, http: ProviderHttp, kind: ModelProvider, key: str
) -> None:
    request = ModelRequest("a-model", "Hello", "key-1")
    account = Account(key, server.url("/json"))

    with pytest.raises(StepFailed) as caught:
        await open_providers(http)[kind].complete(request, account, lambda _: None)

    assert caught.value.error_code == "PROVIDER_AUTH"
    assert server.journal.connections == 0


@each_adapter
async def test_no_variable_of_the_environment_has_a_say(
    server: HostileServer,
    http: ProviderHttp,
    kind: ModelProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("OPENAI", "ANTHROPIC", "AZURE_OPENAI", "GOOGLE_GEMINI"):
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:9/elsewhere")
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "from-the-environment")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-More: from-the-environment")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-More: from-the-environment")

    await failure_of(http, kind, server.url("/status/400"))

    [seen] = server.journal.requests
    assert "from-the-environment" not in f"{seen.headers}"


@each_adapter
async def test_cookies_of_one_answer_are_not_sent_with_the_next_request(
    server: HostileServer, http: ProviderHttp, kind: ModelProvider
) -> None:
    for _ in range(2):
        await failure_of(http, kind, server.url("/with-cookie/400"))

    assert all("cookie" not in seen.headers for seen in server.journal.requests)


@each_adapter
async def test_cancelling_while_connecting_and_waiting_closes_the_connection(
    server: HostileServer, kind: ModelProvider
) -> None:
    patient = ProviderHttp(AllowList.of(["127.0.0.0/8"]))
    task = asyncio.create_task(ask(patient, kind, server.url("/drip/1000000")))
    while not server.journal.requests:
        await asyncio.wait([task], timeout=0.01)

    task.cancel()
    await asyncio.wait([task])
    await server.journal.requests[0].wait_until_closed()

    await patient.aclose()
    assert server.journal.requests[0].is_abandoned
