"""Proves how answers of OpenAI, Azure and servers like them are read: what only they have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Tokens, ToolCall
from promptpilot.engine.providers.openai_wire import AzureOpenAi, OpenAi, OpenAiCompatible
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.errors import StepFailed
from tests.support.scripted_provider import Said, ScriptedProvider, events, scripted_provider, whole

KEY = "sk-4711-never-told"
DONE = b"data: [DONE]\n\n"
USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 4},
}


def _piece(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _message(finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"choices": [choice], "usage": USAGE}


END = _piece("stop")
TELLING = {"choices": [], "usage": USAGE}
MALFORMED: dict[str, Any] = {
    "no JSON": b"data: {nope\n\n",
    "no UTF-8": b'data: "\xff\xfe"\n\n',
    "no object": b"data: [1]\n\n",
    "no list": {"choices": "many"},
    "no choice": {"choices": [1]},
    "no delta": {"choices": [{"index": 0, "delta": [1]}]},
    "a number for a text": _piece(content=5),
    "a NUL": _piece(content="a\x00b"),
    "no tools": _piece(tool_calls=[1]),
    "too deep": b"data: " + b"[" * 100_000 + b"\n\n",
}


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    """Give a server that says what the test writes down."""
    async with scripted_provider() as server:
        yield server


async def _ask(
    provider: ScriptedProvider, kind: type[OpenAi] = OpenAiCompatible, **parameters: Any
) -> ModelReply:
    http = ProviderHttp(AllowList.of(["127.0.0.1"]))
    request = ModelRequest("a-model", "Hi", "k", parameters=parameters)
    try:
        account = Account(KEY, provider.url("/v1"))
        return await kind(http).complete(request, account, lambda _: None)
    finally:
        await http.aclose()


async def _code(provider: ScriptedProvider, said: Said) -> str:
    provider.says = said
    with pytest.raises(StepFailed) as caught:
        await _ask(provider)
    return caught.value.error_code


async def test_a_stream_is_read_with_its_tokens(provider: ScriptedProvider) -> None:
    filters: dict[str, Any] = {"choices": [], "prompt_filter_results": []}
    provider.says = events(filters, _piece(content="Hel"), _piece(content="lo"), END, TELLING, DONE)

    reply = await _ask(provider)

    assert (reply.text, reply.finish_reason, reply.warnings) == ("Hello", "stop", ())
    assert reply.tokens == Tokens(prompt=20, completion=10, cached=8, reasoning=4)


async def test_tools_are_put_together_from_their_pieces(provider: ScriptedProvider) -> None:
    first = {"index": 0, "id": "c1", "function": {"name": "look_up", "arguments": '{"a"'}}
    more = {"index": 0, "function": {"arguments": ":1}"}}
    pieces = (_piece(tool_calls=[first]), _piece(tool_calls=[more]), _piece("tool_calls"))
    provider.says = events(*pieces, TELLING, DONE)

    reply = await _ask(provider)

    assert reply.tool_calls == (ToolCall("c1", "look_up", {"a": 1}),)


@pytest.mark.parametrize("extra", [{}, {"stream": False}])
async def test_an_answer_in_one_piece_is_read_whether_asked_for_or_not(
    provider: ScriptedProvider, extra: dict[str, Any]
) -> None:
    provider.says = whole(_message(content=[{"type": "text", "text": "Hello"}]))

    reply = await _ask(provider, extra=extra)

    assert (reply.text, reply.tokens.prompt) == ("Hello", 20)
    assert provider.asked()["stream"] == extra.get("stream", True)


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_piece_is_an_invalid_output(
    provider: ScriptedProvider, name: str
) -> None:
    said = events(_piece(content="Hel"), MALFORMED[name], END, DONE)

    assert await _code(provider, said) == "OUTPUT_INVALID"


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{"index": 0}]}, [], 5, None])
async def test_an_answer_without_choices_is_an_invalid_output(
    provider: ScriptedProvider, body: Any
) -> None:
    assert await _code(provider, whole(body)) == "OUTPUT_INVALID"


@pytest.mark.parametrize("end", [(), (DONE,), (TELLING, DONE)])
async def test_a_stream_without_its_end_is_cut(
    provider: ScriptedProvider, end: tuple[Any, ...]
) -> None:
    assert await _code(provider, events(_piece(content="Hel"), *end)) == "NETWORK"


async def test_an_answer_counts_though_the_server_never_hangs_up(
    provider: ScriptedProvider,
) -> None:
    provider.says = events(_piece(content="Hi"), END, TELLING, DONE, is_left_hanging=True)

    assert (await _ask(provider)).text == "Hi"


@pytest.mark.parametrize(
    "said",
    [
        events(_piece(refusal="I will "), _piece("stop", refusal="not."), DONE),
        events(_piece(content="Hel"), _piece("content_filter"), DONE),
        whole(_message(refusal="I will not.", content=None)),
        events({"error": {"message": "no", "code": "content_filter"}}),
    ],
)
async def test_what_was_withheld_is_filtered(provider: ScriptedProvider, said: Said) -> None:
    assert await _code(provider, said) == "CONTENT_FILTERED"


async def test_an_answer_that_met_its_limit_is_kept_with_a_warning(
    provider: ScriptedProvider,
) -> None:
    provider.says = events(_piece(content="Hel"), _piece("length"), TELLING, DONE)

    reply = await _ask(provider)

    assert (reply.text, len(reply.warnings)) == ("Hel", 1)


@pytest.mark.parametrize("usage", [None, [], {}, {"prompt_tokens": -1}, {"completion_tokens": "x"}])
async def test_tokens_that_are_not_told_count_as_nothing(
    provider: ScriptedProvider, usage: Any
) -> None:
    provider.says = events(_piece(content="Hi"), END, {"choices": [], "usage": usage}, DONE)

    reply = await _ask(provider)

    assert reply.tokens == Tokens(are_told=False)
    assert len(reply.warnings) == 1


async def test_azure_is_asked_for_the_deployment_in_a_version(provider: ScriptedProvider) -> None:
    provider.says = events(_piece(content="Hi"), END, TELLING, DONE)

    await _ask(provider, AzureOpenAi, extra={"apiVersion": "2030-01-01"})

    [seen] = provider.journal.requests
    assert seen.path == "/v1/openai/deployments/a-model/chat/completions"
    assert seen.query == "api-version=2030-01-01"
    assert seen.headers["api-key"] == KEY
    assert "authorization" not in seen.headers


async def test_a_server_that_knows_no_stream_options_is_asked_without_them(
    provider: ScriptedProvider,
) -> None:
    body = b'{"error":{"message":"unknown field: stream_options"}}'
    provider.says = Said((body,), 400, {"Connection": "close"})

    with pytest.raises(StepFailed) as caught:
        await _ask(provider)

    bodies = [b"stream_options" in seen.body for seen in provider.journal.requests]
    assert caught.value.error_code == "PROVIDER_BAD_REQUEST"
    assert bodies == [True, False]


@pytest.mark.parametrize("kind", [OpenAiCompatible, AzureOpenAi])
async def test_an_address_is_needed_where_there_is_no_usual_one(kind: type[OpenAi]) -> None:
    http = ProviderHttp()
    request = ModelRequest("a-model", "Hi", "k")

    with pytest.raises(StepFailed, match="base URL") as caught:
        await kind(http).complete(request, Account(KEY), lambda _: None)

    assert caught.value.error_code == "PROVIDER_BAD_REQUEST"


async def test_no_model_is_asked_without_an_account() -> None:
    with pytest.raises(StepFailed) as caught:
        await OpenAi(ProviderHttp()).complete(ModelRequest("m", "Hi", "k"), None, lambda _: None)

    assert caught.value.error_code == "CREDENTIAL_MISSING"
