"""OPENAI, AZURE_OPENAI and OPENAI_COMPATIBLE through OpenAI's library, imported with this module.

Rules: one call is one request, streamed unless `parameters.extra` says otherwise. The library
retries nothing, reads no variable of the environment and sends through the guard of the way out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import httpx2
import openai

from promptpilot import __version__
from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink
from promptpilot.engine.providers.failures import (
    Asked,
    Refusal,
    failure_of,
    malformed,
    refused,
    refused_midway,
    told_as_failures,
    unusable,
    usable_key,
)
from promptpilot.engine.providers.growing import GrowingReply
from promptpilot.engine.providers.openai_reading import OpenAiReading
from promptpilot.engine.providers.openai_requests import body_of, without_stream_options
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.step_configs import ModelProvider

_ADDRESS: Final = "https://api.openai.com/v1"
_PATH: Final = "/chat/completions"
#: The newest version of Azure's API that is not a preview; `extra.apiVersion` names another one.
AZURE_API_VERSION: Final = "2024-10-21"
_MAX_REMEMBERED: Final = 1_000
_UNPROCESSABLE: Final = frozenset({400, 422})

# The library would write prompts to its log when a variable of the environment says so.
logging.getLogger("openai").setLevel(logging.WARNING)


class OpenAi:
    """Sends one prompt to one of OpenAI's models."""

    kind: ClassVar[ModelProvider] = ModelProvider.OPENAI

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the model's answer; see `Provider`."""
        asked = Asked(self.kind, request.model, account)
        growing = GrowingReply(asked, on_text)
        with told_as_failures(asked), self._refusals(asked):
            client = self._client(asked, request)
            await self._ask(client, body_of(request, self.kind), request, growing)
            return growing.finished()

    def _client(self, asked: Asked, request: ModelRequest) -> openai.AsyncOpenAI:
        key = usable_key(asked)
        return _Client(key, self._address(asked), self._http.client())

    def _address(self, asked: Asked) -> str:
        return (asked.account.base_url if asked.account else None) or _ADDRESS

    async def _ask(
        self,
        client: openai.AsyncOpenAI,
        body: dict[str, Any],
        request: ModelRequest,
        growing: GrowingReply,
    ) -> None:
        reading = OpenAiReading(growing)
        headers = {"Idempotency-Key": request.idempotency_key}
        if body["stream"]:
            await _read_stream(client, body, headers, reading)
        else:
            reading.whole(await _whole(client, body, headers))

    @contextmanager
    def _refusals(self, asked: Asked) -> Iterator[None]:
        try:
            yield
        except openai.APIStatusError as error:
            raise refused(asked, Refusal.of(error.response), self._http.clock.now()) from None
        except openai.APIConnectionError as error:
            raise failure_of(asked, error.__cause__ or error) from None
        except openai.APIError as error:  # an error in the place of the next piece
            raise refused_midway(asked, error.body) from None
        except openai.OpenAIError as error:
            raise failure_of(asked, error) from None


class AzureOpenAi(OpenAi):
    """Sends one prompt to one deployment of Azure OpenAI."""

    kind: ClassVar[ModelProvider] = ModelProvider.AZURE_OPENAI

    def _client(self, asked: Asked, request: ModelRequest) -> openai.AsyncOpenAI:
        extra = request.parameters.get("extra") or {}
        version = str(extra.get("apiVersion") or AZURE_API_VERSION)
        return _AzureClient(usable_key(asked), self._address(asked), version, self._http.client())

    def _address(self, asked: Asked) -> str:
        return _own_address(asked, "https://<resource>.openai.azure.com").removesuffix("/openai")


class OpenAiCompatible(OpenAi):
    """Sends one prompt to a server that speaks like OpenAI."""

    kind: ClassVar[ModelProvider] = ModelProvider.OPENAI_COMPATIBLE

    def __init__(self, http: ProviderHttp) -> None:
        super().__init__(http)
        self._without_options: dict[str, None] = {}

    def _address(self, asked: Asked) -> str:
        return _own_address(asked, "http://127.0.0.1:11434/v1")

    async def _ask(
        self,
        client: openai.AsyncOpenAI,
        body: dict[str, Any],
        request: ModelRequest,
        growing: GrowingReply,
    ) -> None:
        """Ask, and once more if the server refuses only to tell of tokens within a stream."""
        address = str(client.base_url)
        if address in self._without_options:
            body = without_stream_options(body)
        try:
            await super()._ask(client, body, request, growing)
        except openai.APIStatusError as error:
            if "stream_options" not in body or not _refuses_options(error):
                raise
            if len(self._without_options) < _MAX_REMEMBERED:
                self._without_options[address] = None
            await super()._ask(client, without_stream_options(body), request, growing)


class _Client(openai.AsyncOpenAI):
    """OpenAI's client without what its environment would add."""

    def __init__(self, key: str, address: str, http: httpx2.AsyncClient) -> None:
        super().__init__(api_key=key, base_url=address, max_retries=0, http_client=http)

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        return {**_headers(), **self.auth_headers}


class _AzureClient(openai.AsyncAzureOpenAI):
    """The same for Azure, which takes the key in a header of its own."""

    def __init__(self, key: str, address: str, version: str, http: httpx2.AsyncClient) -> None:
        super().__init__(
            api_key=key,
            azure_endpoint=address,
            api_version=version,
            max_retries=0,
            http_client=http,
        )

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        return {**_headers(), **self.auth_headers}


def _headers() -> dict[str, str]:
    return {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "User-Agent": f"promptpilot/{__version__}",
    }


async def _read_stream(
    client: openai.AsyncOpenAI,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    reading: OpenAiReading,
) -> None:
    stream = await client.post(
        _PATH,
        cast_to=object,
        body=dict(body),
        options={"headers": headers},
        stream=True,
        stream_cls=openai.AsyncStream[object],
    )
    async with stream:
        response = stream.response
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":  # the server does not stream
            await response.aread()
            reading.whole(response)
            return
        if kind == "text/html":
            raise malformed(reading.asked, "it is a page of HTML; check the base URL")
        reading.begin(response)
        async for piece in stream:
            reading.piece(piece)
    reading.end()


async def _whole(
    client: openai.AsyncOpenAI, body: Mapping[str, Any], headers: Mapping[str, str]
) -> httpx2.Response:
    return await client.post(
        _PATH, cast_to=httpx2.Response, body=dict(body), options={"headers": headers}
    )


def _own_address(asked: Asked, example: str) -> str:
    address = asked.account.base_url if asked.account else None
    if not address:
        raise unusable(asked, f"its credential has no base URL, such as {example}.")
    return address.rstrip("/")


def _refuses_options(error: openai.APIStatusError) -> bool:
    return error.status_code in _UNPROCESSABLE and "stream_options" in error.response.text
