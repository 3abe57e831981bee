"""Asks providers whether they take a key: for the list of their models, which costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import httpx2

from promptpilot.engine.accounts import Account, Probed
from promptpilot.engine.providers import failures
from promptpilot.engine.providers.failures import Asked, Refusal
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed

_SECONDS: Final = 20.0
#: What a base URL may end with or not, the path after that, and the provider's own base URL.
_LISTS: Final[Mapping[ModelProvider, tuple[str, str, str]]] = {
    ModelProvider.OPENAI: ("", "/models", "https://api.openai.com/v1"),
    ModelProvider.OPENAI_COMPATIBLE: ("", "/models", ""),
    ModelProvider.AZURE_OPENAI: ("/openai", "/models?api-version=2024-10-21", ""),
    ModelProvider.ANTHROPIC: ("/v1", "/models?limit=1", "https://api.anthropic.com"),
    ModelProvider.GOOGLE: (
        "/v1beta",
        "/models?pageSize=1",
        "https://generativelanguage.googleapis.com",
    ),
}
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class ProviderProber:
    """Asks over the guarded way to model providers."""

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    async def probe(self, provider: ModelProvider, account: Account) -> Probed:
        """Ask once whether `account` is taken.

        Raises `StepFailed` when the provider does not say so: it is away, too busy or elsewhere.
        """
        if provider is ModelProvider.SIMULATOR:
            return Probed(is_accepted=True, latency_ms=0)
        asked = Asked(provider, "", account)
        clock = asyncio.get_running_loop().time
        begun = clock()
        response = await self._get(asked, _url(provider, account), _headers(provider, account))
        latency_ms = round((clock() - begun) * 1000)
        if response.is_success:
            return Probed(is_accepted=True, latency_ms=latency_ms)
        if _refuses_key(response):
            failure = failures.refused(asked, Refusal.of(response), self._http.clock.now())
            return Probed(is_accepted=False, latency_ms=latency_ms, words=failure.message)
        raise self._failure(asked, response)

    async def _get(self, asked: Asked, url: str, headers: dict[str, str]) -> httpx2.Response:
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._http.client().get(url, headers=headers)
        except TimeoutError:
            message = f"{asked.name} did not answer within {_SECONDS:g} s."
            raise StepFailed(message, "PROVIDER_TIMEOUT", is_retryable=True) from None
        except (StepFailed, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise failures.failure_of(asked, error) from None

    def _failure(self, asked: Asked, response: httpx2.Response) -> StepFailed:
        if response.status_code == HTTPStatus.NOT_FOUND:
            message = f"{asked.name} has no list of models at this address; check the base URL."
            return StepFailed(message, "PROVIDER_BAD_REQUEST")
        return failures.refused(asked, Refusal.of(response), self._http.clock.now())


def _refuses_key(response: httpx2.Response) -> bool:
    """Whether an answer means that the key is wrong; Google says so with 400."""
    is_google = "API_KEY_INVALID" in response.text
    return response.status_code in _REFUSED or (
        response.status_code == HTTPStatus.BAD_REQUEST and is_google
    )


def _url(provider: ModelProvider, account: Account) -> str:
    version, path, own = _LISTS[provider]
    return (account.base_url or own).rstrip("/").removesuffix(version) + version + path


def _headers(provider: ModelProvider, account: Account) -> dict[str, str]:
    match provider:
        case ModelProvider.AZURE_OPENAI:
            return {"api-key": account.secret}
        case ModelProvider.ANTHROPIC:
            return {"x-api-key": account.secret, "anthropic-version": "2023-06-01"}
        case ModelProvider.GOOGLE:
            return {"x-goog-api-key": account.secret}
        case _:
            return {"Authorization": f"Bearer {account.secret}"}
