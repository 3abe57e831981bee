"""Proves that every adapter reads what aimock says in its format, and fails in the same codes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.prompt_texts import Role, Turn
from promptpilot.engine.providers.base import ModelReply, ModelRequest, ToolCall
from promptpilot.engine.providers.registry import ADAPTERS, open_providers
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed
from tests.support.aimock import Aimock
from tests.support.hostile import hostile_server

KEY = "sk-test-4711-never-told-to-anybody"
TEXT = "Grüße from a model that says more than a few words."
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "input_tokens": 11,
    "output_tokens": 7,
    "promptTokenCount": 11,
    "candidatesTokenCount": 7,
}
TOOL = {"name": "look_up", "arguments": {"words": ["a", "b"], "limit": 3}}
#: What a provider answers -> the code, whether a retry may help, how long it asks to wait.
REFUSALS: dict[str, tuple[int, str, str, tuple[str, bool, int | None]]] = {
    "401": (401, "authentication_error", "bad key", ("PROVIDER_AUTH", False, None)),
    "403": (403, "permission_error", "not yours", ("PROVIDER_AUTH", False, None)),
    "404": (404, "not_found_error", "no model", ("PROVIDER_BAD_REQUEST", False, None)),
    "400": (400, "invalid_request_error", "no", ("PROVIDER_BAD_REQUEST", False, None)),
    "too long": (
        400,
        "invalid_request_error",
        "prompt is too long: 200001 tokens > 200000 maximum",
        ("CONTEXT_TOO_LONG", False, None),
    ),
    "429": (429, "rate_limit_error", "slow down", ("PROVIDER_RATE_LIMITED", True, 7)),
    "500": (500, "api_error", "sorry", ("PROVIDER_UNAVAILABLE", True, None)),
    "529": (529, "overloaded_error", "overloaded", ("PROVIDER_UNAVAILABLE", True, None)),
}

each_adapter = pytest.mark.parametrize("kind", sorted(ADAPTERS))
plain_and_streamed = pytest.mark.parametrize("is_streamed", [True, False])


def _base_url(aimock: Aimock, kind: ModelProvider) -> str:
    match kind:
        case ModelProvider.ANTHROPIC:
            return aimock.anthropic
        case ModelProvider.GOOGLE:
            return aimock.google
        case ModelProvider.AZURE_OPENAI:
            return aimock.server.url
        case _:
            return aimock.openai


class Asking:
    """Asks one adapter, and keeps what it told of the text as it grew."""

    def __init__(self, http: ProviderHttp, kind: ModelProvider) -> None:
        self.pieces: list[str] = []
        self._adapter = open_providers(http)[kind]

    async def complete(
        self, base_url: str, content: str = "Hello", *, is_streamed: bool = True
    ) -> ModelReply:
        """Ask with a conversation, instructions and parameters that every provider knows."""
        extra: dict[str, Any] = {} if is_streamed else {"stream": False}
        request = ModelRequest(
            "a-model",
            content,
            "key-of-the-attempt",
            instructions="Be brief.",
            turns=(Turn(Role.USER, "Before"), Turn(Role.ASSISTANT, "I see")),
            parameters={"temperature": 0.5, "maxTokens": 50, "extra": extra},
        )
        return await self._adapter.complete(request, Account(KEY, base_url), self.pieces.append)


@each_adapter
@plain_and_streamed
async def test_an_answer_is_read(
    aimock: Aimock, http: ProviderHttp, kind: ModelProvider, *, is_streamed: bool
) -> None:
    asking = Asking(http, kind)
    aimock.answer("Hello", {"content": TEXT, "usage": USAGE})

    reply = await asking.complete(_base_url(aimock, kind), is_streamed=is_streamed)

    assert (reply.text, "".join(asking.pieces)) == (TEXT, TEXT)
    assert (len(asking.pieces) > 1) == is_streamed
    assert (reply.tokens.prompt, reply.tokens.completion) == (11, 7)
    assert reply.request_id
    assert reply.finish_reason
    assert not reply.warnings
    assert 0 <= (reply.first_token_ms or 0) <= reply.latency_ms


@each_adapter
@plain_and_streamed
async def test_calls_of_tools_are_read(
    aimock: Aimock, http: ProviderHttp, kind: ModelProvider, *, is_streamed: bool
) -> None:
    aimock.answer("Hello", {"toolCalls": [TOOL, TOOL], "finishReason": "stop"})

    reply = await Asking(http, kind).complete(_base_url(aimock, kind), is_streamed=is_streamed)

    calls = [(call.name, call.arguments) for call in reply.tool_calls]
    assert calls == [(TOOL["name"], TOOL["arguments"])] * 2
    assert all(isinstance(call, ToolCall) for call in reply.tool_calls)


@each_adapter
async def test_the_whole_conversation_is_sent_once_with_the_key_of_the_attempt(
    aimock: Aimock, http: ProviderHttp, kind: ModelProvider
) -> None:
    aimock.answer("Hello", {"content": TEXT})

    await Asking(http, kind).complete(_base_url(aimock, kind))

    [request] = aimock.requests()
    said = [message["content"] for message in request["body"]["messages"]]
    assert said == ["Be brief.", "Before", "I see", "Hello"]
    assert request["headers"]["idempotency-key"] == "key-of-the-attempt"
    assert request["body"]["temperature"] == 0.5


@each_adapter
@plain_and_streamed
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refusal_is_told_once_as_one_of_our_codes(
    aimock: Aimock, http: ProviderHttp, kind: ModelProvider, refusal: str, *, is_streamed: bool
) -> None:
    status, type_, message, expected = REFUSALS[refusal]
    error = {"message": f"{message} ({KEY})", "type": type_}
    aimock.answer("Hello", {"error": error, "status": status, "retryAfter": 7})

    with pytest.raises(StepFailed) as caught:
        await Asking(http, kind).complete(_base_url(aimock, kind), is_streamed=is_streamed)

    failure, wait = caught.value, caught.value.retry_after
    assert (failure.error_code, failure.is_retryable, wait and wait // timedelta(seconds=1)) == (
        expected
    )
    assert message in failure.message
    assert KEY not in f"{failure.message} {failure.details} {failure!r}"
    assert len(aimock.requests()) == 1


@each_adapter
async def test_a_stream_that_is_cut_may_be_tried_again(
    aimock: Aimock, http: ProviderHttp, kind: ModelProvider
) -> None:
    aimock.answer("Hello", {"content": TEXT}, truncateAfterChunks=3)

    with pytest.raises(StepFailed) as caught:
        await Asking(http, kind).complete(_base_url(aimock, kind))

    assert caught.value.error_code == "NETWORK"
    assert caught.value.is_retryable
    assert caught.value.is_outcome_unknown
    assert len(aimock.requests()) == 1


@each_adapter
@pytest.mark.parametrize("chaos", ["dropRate", "malformedRate", "disconnectRate"])
async def test_chaos_ends_in_a_failure_that_may_be_tried_again(
    aimock: Aimock, http: ProviderHttp, kind: ModelProvider, chaos: str
) -> None:
    aimock.answer("Hello", {"content": TEXT}, chaos={chaos: 1})

    with pytest.raises(StepFailed) as caught:
        await Asking(http, kind).complete(_base_url(aimock, kind))

    known = {"PROVIDER_UNAVAILABLE", "NETWORK", "OUTPUT_INVALID"}
    assert caught.value.error_code in known
    assert caught.value.is_retryable


@each_adapter
@pytest.mark.parametrize("behaviour", ["hang", "hang-after-head"])
async def test_cancelling_closes_the_connection_at_once(
    http: ProviderHttp, kind: ModelProvider, behaviour: str
) -> None:
    async with hostile_server() as server:
        task = asyncio.create_task(Asking(http, kind).complete(server.url(f"/{behaviour}")))
        request = await server.journal.first()

        task.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait([task])
            await request.wait_until_closed()

    assert task.cancelled()
    assert request.is_abandoned
