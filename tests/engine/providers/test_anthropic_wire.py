"""Proves how Anthropic's messages are asked and read: what only its own format has."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.providers.anthropic_wire import Anthropic
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Tokens
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.errors import StepFailed
from promptpilot.json_values import encode_json
from tests.support.scripted_provider import ScriptedProvider, events, whole

KEY = "sk-ant-4711-never-told"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
OPEN_SCHEMAS = [
    {},
    {"type": "object"},
    {"type": ["string", "null"], "not": {"const": 5}},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "array", "items": {"type": "object", "patternProperties": {"^x": {}}}},
]
START = {
    "type": "message_start",
    "message": {
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 200,
            "cache_creation_input_tokens": 30,
            "output_tokens": 1,
        }
    },
}
STOP = {"type": "message_stop"}


def _text(text: Any, index: int = 0) -> dict[str, Any]:
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _end(reason: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": reason},
        "usage": {"output_tokens": 50, **usage},
    }


MALFORMED = {
    "no JSON": b"event: message_start\ndata: {nope\n\n",
    "no UTF-8": b'event: message_start\ndata: "\xff\xfe"\n\n',
    "no object": b"event: message_start\ndata: [1]\n\n",
    "no type": b"event: message_start\ndata: {}\n\n",
    "a number for a text": _text(5),
    "a NUL": _text("a\x00b"),
    "no delta": {"type": "content_block_delta", "index": 0},
    "too deep": b"event: message_start\ndata: " + b"[" * 100_000 + b"\n\n",
}
ERRORS = {
    "overloaded_error": "PROVIDER_UNAVAILABLE",
    "api_error": "PROVIDER_UNAVAILABLE",
    "rate_limit_error": "PROVIDER_RATE_LIMITED",
    "invalid_request_error": "PROVIDER_BAD_REQUEST",
}


async def _ask(
    provider: ScriptedProvider, instructions: str | None = None, path: str = "", **parameters: Any
) -> ModelReply:
    http = ProviderHttp(AllowList.of(["127.0.0.1"]))
    request = ModelRequest("claude", "Hi", "k", instructions=instructions, parameters=parameters)
    try:
        account = Account(KEY, provider.url(path))
        return await Anthropic(http).complete(request, account, lambda _: None)
    finally:
        await http.aclose()


async def _code(provider: ScriptedProvider) -> tuple[str, bool]:
    with pytest.raises(StepFailed) as caught:
        await _ask(provider)
    assert KEY not in caught.value.message
    return caught.value.error_code, caught.value.is_retryable


async def test_tokens_of_the_cache_and_of_thoughts_are_counted(provider: ScriptedProvider) -> None:
    details: dict[str, Any] = {"output_tokens_details": {"thinking_tokens": 20}}
    provider.says = events(START, _text("ok"), _end(**details), STOP)

    reply = await _ask(provider)

    assert reply.tokens == Tokens(240, 50, cached=200, cache_write=30, reasoning=20)


async def test_thoughts_are_no_part_of_the_text(provider: ScriptedProvider) -> None:
    thought = {"type": "thinking_delta", "thinking": "hmm"}
    block = {"type": "content_block_delta", "index": 0, "delta": thought}
    provider.says = events(START, block, _text("ok", 1), {"type": "ping"}, _end(), STOP)

    reply = await _ask(provider)

    assert reply.text == "ok"


async def test_a_tool_is_called_without_arguments(provider: ScriptedProvider) -> None:
    tool = {"type": "tool_use", "id": "t1", "name": "now", "input": {}}
    block = {"type": "content_block_start", "index": 0, "content_block": tool}
    provider.says = events(START, block, _end("tool_use"), STOP)

    reply = await _ask(provider)

    [call] = reply.tool_calls
    assert (call.id, call.name, call.arguments) == ("t1", "now", {})
    assert reply.finish_reason == "tool_use"


async def test_a_refusal_is_an_answer_withheld(provider: ScriptedProvider) -> None:
    provider.says = events(START, _text("I c"), _end("refusal"), STOP)

    assert await _code(provider) == ("CONTENT_FILTERED", False)


async def test_a_stream_without_its_end_was_cut(provider: ScriptedProvider) -> None:
    provider.says = events(START, _text("half an an"))

    assert await _code(provider) == ("NETWORK", True)


@pytest.mark.parametrize("fault", MALFORMED)
async def test_a_malformed_stream_may_be_tried_again(
    provider: ScriptedProvider, fault: str
) -> None:
    provider.says = events(MALFORMED[fault], _end(), STOP)

    assert await _code(provider) == ("OUTPUT_INVALID", True)


@pytest.mark.parametrize("kind", ERRORS)
async def test_an_error_within_a_stream_has_its_code(provider: ScriptedProvider, kind: str) -> None:
    error = {"type": kind, "message": f"no more, {KEY}"}
    provider.says = events(START, _text("half"), {"type": "error", "error": error})

    code, _ = await _code(provider)

    assert code == ERRORS[kind]


async def test_json_without_a_schema_is_asked_for_in_the_instructions(
    provider: ScriptedProvider,
) -> None:
    provider.says = events(START, _text("{}"), _end(), STOP)

    await _ask(provider, "Be brief.", responseFormat="JSON_OBJECT")

    assert provider.asked()["system"] == (
        "Be brief.\n\nAnswer with one JSON object and nothing else."
    )


async def test_a_schema_is_sent_in_anthropics_own_mode(provider: ScriptedProvider) -> None:
    provider.says = events(START, _text("{}"), _end(), STOP)

    await _ask(provider, responseFormat="JSON_SCHEMA", responseSchema=SCHEMA)

    sent = provider.asked()["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert sent["schema"] == {**SCHEMA, "additionalProperties": False}


@pytest.mark.parametrize("schema", OPEN_SCHEMAS)
async def test_a_schema_that_cannot_be_closed_is_sent_with_the_instructions(
    provider: ScriptedProvider, schema: dict[str, Any]
) -> None:
    provider.says = events(START, _text("{}"), _end(), STOP)

    reply = await _ask(provider, responseFormat="JSON_SCHEMA", responseSchema=schema)

    body = provider.asked()
    assert "output_config" not in body
    assert body["system"].endswith(encode_json(schema))
    assert len(reply.warnings) == 1


async def test_what_anthropic_does_not_know_is_left_out_with_a_warning(
    provider: ScriptedProvider,
) -> None:
    provider.says = events(START, _text("ok"), _end(), STOP)

    reply = await _ask(provider, seed=1, presencePenalty=0.5, temperature=1.7, stop=["END"])

    body = provider.asked()
    assert body["temperature"] == 1
    assert body["stop_sequences"] == ["END"]
    assert {"seed", "presencePenalty", "presence_penalty"}.isdisjoint(body)
    assert len(reply.warnings) == 3


async def test_an_answer_cut_by_a_limit_that_nobody_set_has_a_warning(
    provider: ScriptedProvider,
) -> None:
    provider.says = events(START, _text("ok"), _end("max_tokens"), STOP)

    [warning] = (await _ask(provider)).warnings
    told = await _ask(provider, maxTokens=5)

    assert "maxTokens" in warning
    assert (told.warnings, told.finish_reason) == ((), "max_tokens")


async def test_parameters_of_ones_own_are_added(provider: ScriptedProvider) -> None:
    content = [{"type": "text", "text": "ok"}]
    said = {"content": content, "stop_reason": "end_turn", "usage": {"input_tokens": 1}}
    provider.says = whole(said)

    reply = await _ask(provider, extra={"stream": False, "top_k": 5, "metadata": {"user_id": "u"}})

    body = provider.asked()
    assert reply.text == "ok"
    assert (body["stream"], body["top_k"], body["metadata"]) == (False, 5, {"user_id": "u"})


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
async def test_a_base_url_may_name_the_version(provider: ScriptedProvider, path: str) -> None:
    provider.says = events(START, _text("ok"), _end(), STOP)

    await _ask(provider, path=path)

    assert [each.path for each in provider.journal.requests] == ["/v1/messages"]


async def test_nothing_of_the_environment_has_a_say(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "ANTHROPIC_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Mine: yes")
    provider.says = events(START, _text("ok"), _end(), STOP)

    await _ask(provider)

    [request] = provider.journal.requests
    assert KEY in request.headers["authorization"]
    assert "x-mine" not in request.headers
