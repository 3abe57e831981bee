"""ANTHROPIC: Anthropic's messages through its library, which is imported with this module.

Rules: one call is one request, streamed unless `parameters.extra` says otherwise. The library
retries nothing, reads no variable of the environment and sends through the guard of all that goes
out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import anthropic
import httpx2

from promptpilot import __version__
from promptpilot.engine.accounts import Account
from promptpilot.engine.providers.anthropic_requests import DEFAULT_MAX_TOKENS, body_of
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink, Tokens
from promptpilot.engine.providers.failures import (
    Asked,
    Refusal,
    cut,
    failure_of,
    filtered,
    refused,
    refused_midway,
    told_as_failures,
    usable_key,
)
from promptpilot.engine.providers.growing import GrowingReply
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.json_values import encode_json

_ADDRESS: Final = "https://api.anthropic.com"
_PATH: Final = "/v1/messages"
_OK: Final = 200
_WITHHELD: Final = ("refusal", "content_filter")

# The library would write prompts to its log when a variable of the environment says so.
logging.getLogger("anthropic").setLevel(logging.WARNING)


class Anthropic:
    """Sends one prompt to one of Anthropic's models, or of a server that speaks like it."""

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Return the model's answer; see `Provider`."""
        asked = Asked(ModelProvider.ANTHROPIC, request.model, account)
        body, warnings = body_of(request)
        growing = GrowingReply(asked, on_text)
        for warning in warnings:
            growing.warn(warning)
        reading = _Reading(asked, growing)
        with told_as_failures(asked), self._refusals(asked):
            client = _Client(usable_key(asked), account, self._http.client())
            headers = {"Idempotency-Key": request.idempotency_key}
            if body["stream"]:
                await reading.read_stream(client, body, headers)
            else:
                await reading.read_whole(client, body, headers)
            return reading.reply(is_default_limit="maxTokens" not in request.parameters)

    @contextmanager
    def _refusals(self, asked: Asked) -> Iterator[None]:
        try:
            yield
        except anthropic.APIStatusError as error:
            if error.response.status_code == _OK:
                raise refused_midway(asked, error.body) from None
            raise refused(asked, Refusal.of(error.response), self._http.clock.now()) from None
        except anthropic.AnthropicError as error:
            raise failure_of(asked, error) from None


class _Client(anthropic.AsyncAnthropic):
    """Anthropic's client without what its environment would add."""

    def __init__(self, key: str, account: Account | None, http: httpx2.AsyncClient) -> None:
        super().__init__(
            api_key=key,
            base_url=((account and account.base_url) or _ADDRESS).rstrip("/").removesuffix("/v1"),
            max_retries=0,
            timeout=httpx2.Timeout(None),  # the guarded client keeps the times
            http_client=http,
            open_telemetry=False,
        )
        # The library takes headers from a variable of the environment, and sends them above all.
        self._custom_headers = {"User-Agent": f"promptpilot/{__version__}"}


class _Reading:
    """Reads one answer, plain or event by event."""

    def __init__(self, asked: Asked, growing: GrowingReply) -> None:
        self._asked = asked
        self._growing = growing
        self._usage: dict[str, Any] = {}
        self._is_complete = False

    async def read_stream(
        self, client: _Client, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        """Read events to the end of the stream."""
        stream = await client.post(
            _PATH,
            cast_to=object,
            body=dict(body),
            options={"headers": headers},
            stream=True,
            stream_cls=anthropic.AsyncStream[object],
        )
        async with stream:
            self._growing.request_id = _request_id(stream.response)
            async for event in stream:
                self._take(event)

    async def read_whole(
        self, client: _Client, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        """Read an answer that comes in one piece."""
        response = await client.post(
            _PATH, cast_to=httpx2.Response, body=dict(body), options={"headers": headers}
        )
        self._growing.request_id = _request_id(response)
        message = response.json()
        self._usage.update(message["usage"])
        for index, block in enumerate(message["content"]):
            self._begin_block(index, block)
        self._growing.finish_reason = message["stop_reason"]
        self._is_complete = True

    def reply(self, *, is_default_limit: bool) -> ModelReply:
        """Return the whole answer. Raises `StepFailed` when it was cut or withheld."""
        growing = self._growing
        if growing.finish_reason in _WITHHELD:
            raise filtered(self._asked, growing.finish_reason)
        if not self._is_complete:
            raise cut(self._asked)
        if growing.finish_reason == "max_tokens" and is_default_limit:
            growing.warn(
                f"The answer was cut at {DEFAULT_MAX_TOKENS} tokens, because Anthropic wants a "
                "limit and maxTokens sets none."
            )
        growing.tokens = self._tokens()
        return growing.finished()

    def _take(self, event: Any) -> None:
        match event["type"]:
            case "message_start":
                self._usage.update(event["message"].get("usage") or {})
            case "content_block_start":
                self._begin_block(event["index"], event["content_block"])
            case "content_block_delta":
                self._grow_block(event["index"], event["delta"])
            case "message_delta":
                self._growing.finish_reason = event["delta"].get("stop_reason")
                told = event.get("usage") or {}
                self._usage.update({name: n for name, n in told.items() if n is not None})
            case "message_stop":
                self._is_complete = True
            case _:
                return  # a kind of event that was added later

    def _begin_block(self, index: int, block: Any) -> None:
        if block["type"] == "text":
            self._growing.add_text(block["text"])
        if block["type"] == "tool_use":
            given = block.get("input")
            arguments = encode_json(given) if given else None
            self._growing.add_tool(index, block["id"], block["name"], arguments)

    def _grow_block(self, index: int, delta: Any) -> None:
        if delta["type"] == "text_delta":
            self._growing.add_text(delta["text"])
        if delta["type"] == "input_json_delta":
            self._growing.add_tool(index, arguments=delta["partial_json"])

    def _tokens(self) -> Tokens:
        usage, count = self._usage, self._growing.count
        cached = count(usage.get("cache_read_input_tokens"), "cache_read_input_tokens")
        written = count(usage.get("cache_creation_input_tokens"), "cache_creation_input_tokens")
        details = usage.get("output_tokens_details") or {}
        return Tokens(
            prompt=count(usage.get("input_tokens"), "input_tokens") + cached + written,
            completion=count(usage.get("output_tokens"), "output_tokens"),
            cached=cached,
            cache_write=written,
            reasoning=count(details.get("thinking_tokens"), "thinking_tokens"),
            are_told=bool(usage),
        )


def _request_id(response: httpx2.Response) -> str | None:
    """Return the provider's name for a request; servers that speak like it call it otherwise."""
    return response.headers.get("request-id") or response.headers.get("x-request-id")
