"""Proves that providers are asked in their own way whether they take a key, and are understood."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.providers.probing import ProviderProber
from promptpilot.engine.providers.transport import ProviderHttp, ProviderTimes
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed
from tests.support.credentials import SECRET
from tests.support.hostile import HostileServer, hostile_server
from tests.support.scripted_provider import scripted_provider, whole

KINDS = [each for each in ModelProvider if each is not ModelProvider.SIMULATOR]
_PLACES = {
    ModelProvider.OPENAI: "/json/models",
    ModelProvider.OPENAI_COMPATIBLE: "/json/models",
    ModelProvider.AZURE_OPENAI: "/json/openai/models",
    ModelProvider.ANTHROPIC: "/json/v1/models",
    ModelProvider.GOOGLE: "/json/v1beta/models",
}
_HEADERS = {
    ModelProvider.OPENAI: ("authorization", f"Bearer {SECRET}"),
    ModelProvider.OPENAI_COMPATIBLE: ("authorization", f"Bearer {SECRET}"),
    ModelProvider.AZURE_OPENAI: ("api-key", SECRET),
    ModelProvider.ANTHROPIC: ("x-api-key", SECRET),
    ModelProvider.GOOGLE: ("x-goog-api-key", SECRET),
}


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a server that treats each request as its path says."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
async def prober() -> AsyncIterator[ProviderProber]:
    """Give a prober that may call this machine and is not patient."""
    times = ProviderTimes(connect=2, first_token=0.5, idle=0.5)
    http = ProviderHttp(AllowList.of(["127.0.0.1"]), times)
    yield ProviderProber(http)
    await http.aclose()


def account(server: HostileServer, path: str) -> Account:
    """Return an account at a path of the server."""
    return Account(SECRET, server.url(path), "cred_1")


async def failure(prober: ProviderProber, asked: Account) -> StepFailed:
    """Return why a provider could not be asked."""
    with pytest.raises(StepFailed) as failed:
        await prober.probe(ModelProvider.OPENAI_COMPATIBLE, asked)
    assert SECRET not in failed.value.message
    return failed.value


@pytest.mark.parametrize("provider", KINDS)
async def test_a_provider_is_asked_for_its_models_with_the_key_where_it_wants_it(
    prober: ProviderProber, server: HostileServer, provider: ModelProvider
) -> None:
    probed = await prober.probe(provider, account(server, "/json"))

    (seen,) = server.journal.requests
    name, value = _HEADERS[provider]
    assert probed.is_accepted
    assert 0 <= probed.latency_ms < timedelta(seconds=5) / timedelta(milliseconds=1)
    assert (seen.method, seen.path, seen.headers[name]) == ("GET", _PLACES[provider], value)
    assert SECRET not in seen.query


@pytest.mark.parametrize(
    ("provider", "path"),
    [
        (ModelProvider.ANTHROPIC, "/json/v1"),
        (ModelProvider.GOOGLE, "/json/v1beta/"),
        (ModelProvider.AZURE_OPENAI, "/json/openai"),
    ],
)
async def test_an_address_may_name_the_version_or_not(
    prober: ProviderProber, server: HostileServer, provider: ModelProvider, path: str
) -> None:
    await prober.probe(provider, account(server, path))

    assert [each.path for each in server.journal.requests] == [_PLACES[provider]]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("provider", KINDS)
async def test_a_key_that_is_refused_is_not_accepted(
    prober: ProviderProber, server: HostileServer, provider: ModelProvider, status: int
) -> None:
    probed = await prober.probe(provider, account(server, f"/status/{status}"))

    assert not probed.is_accepted
    assert str(status) in probed.words


@pytest.mark.parametrize(
    "echo", [SECRET, b64encode(SECRET.encode()).decode(), SECRET.encode().hex()]
)
async def test_words_that_echo_the_key_are_kept_without_it(
    prober: ProviderProber, echo: str
) -> None:
    async with scripted_provider() as provider:
        said = whole({"error": {"message": f"Incorrect API key provided: {echo}"}})
        provider.says = replace(said, status=401)
        probed = await prober.probe(ModelProvider.OPENAI, Account(SECRET, provider.url("/v1")))

    assert not probed.is_accepted
    assert "Incorrect API key provided: ***" in probed.words


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/status/500", "PROVIDER_UNAVAILABLE"),
        ("/status/429", "PROVIDER_RATE_LIMITED"),
        ("/status/404", "PROVIDER_BAD_REQUEST"),
        ("/status/302", "PROVIDER_BAD_REQUEST"),
        ("/hang", "PROVIDER_TIMEOUT"),
        ("/reset", "NETWORK"),
        ("/cut", "NETWORK"),
    ],
)
async def test_a_provider_that_does_not_say_is_a_failure(
    prober: ProviderProber, server: HostileServer, path: str, code: str
) -> None:
    assert (await failure(prober, account(server, path))).error_code == code


async def test_addresses_that_may_not_be_called_are_not(server: HostileServer) -> None:
    http = ProviderHttp()

    failed = await failure(ProviderProber(http), account(server, "/json"))
    await http.aclose()

    assert failed.error_code == "SSRF_BLOCKED"
    assert server.journal.requests == []


async def test_the_simulator_takes_every_key(prober: ProviderProber) -> None:
    assert (await prober.probe(ModelProvider.SIMULATOR, Account("x"))).is_accepted
