"""Proves how Gemini is asked and read: what only its own format has."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.accounts import Account
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Tokens
from promptpilot.engine.providers.google_wire import Google
from promptpilot.engine.providers.transport import ProviderHttp
from promptpilot.errors import StepFailed
from tests.support.scripted_provider import ScriptedProvider, events, whole

KEY = "AIza-4711-never-told"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
USAGE = {
    "promptTokenCount": 300,
    "toolUsePromptTokenCount": 10,
    "cachedContentTokenCount": 200,
    "candidatesTokenCount": 40,
    "thoughtsTokenCount": 25,
    "totalTokenCount": 375,
}
WITHHELD = ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"]


def _said(*parts: dict[str, Any], end: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    if end:
        candidate["finishReason"] = end
    return {"candidates": [candidate], **more}


MALFORMED: dict[str, Any] = {
    "no JSON": b"data: {nope\n\n",
    "no UTF-8": b'data: "\xff\xfe"\n\n',
    "no object": b"data: [1]\n\n",
    "text": b"data: hello\n\n",
    "candidates that are none": {"candidates": 5},
    "a number for a text": _said({"text": 5}),
    "a NUL": _said({"text": "a\x00b"}),
    "a reason that is none": {"candidates": [{"finishReason": 5}]},
    "too deep": b"data: " + b"[" * 100_000 + b"\n\n",
}


async def _ask(
    provider: ScriptedProvider,
    path: str = "",
    *,
    key: str = KEY,
    model: str = "gemini",
    **parameters: Any,
) -> ModelReply:
    http = ProviderHttp(AllowList.of(["127.0.0.1"]))
    request = ModelRequest(model, "Hi", "k", parameters=parameters)
    try:
        account = Account(key, provider.url(path))
        return await Google(http).complete(request, account, lambda _: None)
    finally:
        await http.aclose()


async def _code(provider: ScriptedProvider) -> tuple[str, bool]:
    with pytest.raises(StepFailed) as caught:
        await _ask(provider)
    assert KEY not in caught.value.message
    assert len(provider.journal.requests) == 1
    return caught.value.error_code, caught.value.is_retryable


@pytest.mark.parametrize("model", ["", "a b", "../x", "a/../../x", "a?b=c", "a#b", "a\nb", "ä"])
async def test_a_name_that_no_model_has_is_not_asked_for(
    provider: ScriptedProvider, model: str
) -> None:
    with pytest.raises(StepFailed) as caught:
        await _ask(provider, model=model)

    assert caught.value.error_code == "PROVIDER_BAD_REQUEST"
    assert "is no name of a model" in caught.value.message
    assert provider.journal.requests == []


async def test_a_parameter_of_another_type_is_named(provider: ScriptedProvider) -> None:
    with pytest.raises(StepFailed, match="top_p has a value that it does not take") as caught:
        await _ask(provider, topP="much")

    assert (caught.value.error_code, caught.value.is_retryable) == ("PROVIDER_BAD_REQUEST", False)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("schlüssel", "PROVIDER_AUTH"),
        ("a\nb", "PROVIDER_AUTH"),
        ("auth_tokens/x", "PROVIDER_BAD_REQUEST"),
    ],
)
async def test_a_key_that_cannot_be_sent_is_not(
    provider: ScriptedProvider, key: str, code: str
) -> None:
    with pytest.raises(StepFailed) as caught:
        await _ask(provider, key=key)

    assert caught.value.error_code == code
    assert key not in caught.value.message


async def test_tokens_of_the_cache_of_tools_and_of_thoughts_are_counted(
    provider: ScriptedProvider,
) -> None:
    provider.says = events(
        _said({"text": "o"}, end=None), _said({"text": "k"}, usageMetadata=USAGE)
    )

    reply = await _ask(provider)

    assert reply.text == "ok"
    assert reply.tokens == Tokens(310, 65, cached=200, reasoning=25)


async def test_thoughts_are_no_part_of_the_text(provider: ScriptedProvider) -> None:
    provider.says = events(_said({"text": "hmm", "thought": True}, {"text": "ok"}))

    reply = await _ask(provider)

    assert reply.text == "ok"


async def test_tokens_may_stay_untold(provider: ScriptedProvider) -> None:
    provider.says = events(_said({"text": "ok"}))

    reply = await _ask(provider)

    assert reply.tokens == Tokens(are_told=False)
    assert reply.warnings == ("The provider did not tell how many tokens the call took.",)


async def test_a_tool_is_called_by_an_id_and_without_arguments(provider: ScriptedProvider) -> None:
    provider.says = events(_said({"functionCall": {"id": "t1", "name": "now"}}, responseId="r1"))

    reply = await _ask(provider)

    [call] = reply.tool_calls
    assert (call.id, call.name, call.arguments) == ("t1", "now", {})
    assert reply.request_id == "r1"


@pytest.mark.parametrize("reason", WITHHELD)
async def test_an_answer_may_be_withheld(provider: ScriptedProvider, reason: str) -> None:
    provider.says = events(_said({"text": "I c"}, end=None), _said(end=reason))

    assert await _code(provider) == ("CONTENT_FILTERED", False)


async def test_a_prompt_may_be_blocked(provider: ScriptedProvider) -> None:
    provider.says = events({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})

    assert await _code(provider) == ("CONTENT_FILTERED", False)


async def test_an_answer_that_met_its_limit_is_one(provider: ScriptedProvider) -> None:
    provider.says = events(_said({"text": "half an an"}, end="MAX_TOKENS"))

    reply = await _ask(provider, maxTokens=5)

    assert (reply.text, reply.finish_reason) == ("half an an", "MAX_TOKENS")


@pytest.mark.parametrize("text", [(), ({"text": "half an an"},)])
async def test_a_stream_without_its_end_was_cut(
    provider: ScriptedProvider, text: tuple[dict[str, Any], ...]
) -> None:
    provider.says = events(_said(*text, end=None))

    assert await _code(provider) == ("NETWORK", True)


@pytest.mark.filterwarnings("ignore:A_NEW_ONE is not a valid FinishReason")
async def test_a_reason_that_was_added_later_is_passed_on(provider: ScriptedProvider) -> None:
    provider.says = events(_said({"text": "ok"}, end="A_NEW_ONE"))

    reply = await _ask(provider)

    assert (reply.text, reply.finish_reason) == ("ok", "A_NEW_ONE")


async def test_an_answer_that_wants_to_go_on_is_not_asked_for_more(
    provider: ScriptedProvider,
) -> None:
    provider.says = events(_said({"text": "half"}, end="CONTINUATION"))

    reply = await _ask(provider)

    assert reply.finish_reason == "CONTINUATION"
    assert len(provider.journal.requests) == 1


@pytest.mark.parametrize("fault", MALFORMED)
async def test_a_malformed_stream_may_be_tried_again(
    provider: ScriptedProvider, fault: str
) -> None:
    provider.says = events(MALFORMED[fault], _said({"text": "ok"}))

    assert await _code(provider) == ("OUTPUT_INVALID", True)


async def test_a_call_of_a_tool_that_the_model_garbled_may_be_tried_again(
    provider: ScriptedProvider,
) -> None:
    provider.says = events(_said(end="MALFORMED_FUNCTION_CALL"))

    assert await _code(provider) == ("OUTPUT_INVALID", True)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        (503, "UNAVAILABLE", ("PROVIDER_UNAVAILABLE", True)),
        (429, "RESOURCE_EXHAUSTED", ("PROVIDER_RATE_LIMITED", True)),
    ],
)
async def test_an_error_within_a_stream_has_its_code(
    provider: ScriptedProvider, code: int, status: str, expected: tuple[str, bool]
) -> None:
    error = {"error": {"code": code, "status": status, "message": f"no more, {KEY}"}}
    provider.says = events(_said({"text": "half"}, end=None), error)

    assert await _code(provider) == expected


@pytest.mark.parametrize("form", ["JSON_OBJECT", "JSON_SCHEMA"])
async def test_json_is_asked_for_in_geminis_own_mode(provider: ScriptedProvider, form: str) -> None:
    provider.says = events(_said({"text": "{}"}))

    await _ask(provider, responseFormat=form, responseSchema=SCHEMA)

    config = provider.asked()["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config.get("responseJsonSchema") == (SCHEMA if form == "JSON_SCHEMA" else None)


async def test_all_parameters_have_a_name_of_geminis(provider: ScriptedProvider) -> None:
    provider.says = events(_said({"text": "ok"}, usageMetadata=USAGE))
    known: dict[str, Any] = {"temperature": 1.5, "topP": 0.5, "maxTokens": 9, "seed": 3}

    reply = await _ask(provider, **known, stop=["END"], presencePenalty=0.5, frequencyPenalty=-0.5)

    config = provider.asked()["generationConfig"]
    assert (config["temperature"], config["topP"], config["maxOutputTokens"]) == (1.5, 0.5, 9)
    assert (config["seed"], config["stopSequences"]) == (3, ["END"])
    assert (config["presencePenalty"], config["frequencyPenalty"]) == (0.5, -0.5)
    assert reply.warnings == ()


async def test_parameters_of_ones_own_are_added(provider: ScriptedProvider) -> None:
    tools = [{"functionDeclarations": [{"name": "now"}]}]
    generation = {"thinkingConfig": {"thinkingBudget": 0}}
    provider.says = whole(_said({"text": "ok"}))

    extra = {"stream": False, "tools": tools, "generationConfig": generation}
    reply = await _ask(provider, topP=0.5, extra=extra)

    body = provider.asked()
    assert (reply.text, body["tools"]) == ("ok", tools)
    assert body["generationConfig"] == {"topP": 0.5, **generation}
    assert "stream" not in body


@pytest.mark.parametrize("path", ["", "/", "/v1beta", "/v1beta/"])
async def test_a_base_url_may_name_the_version(provider: ScriptedProvider, path: str) -> None:
    provider.says = events(_said({"text": "ok"}))

    await _ask(provider, path)

    [request] = provider.journal.requests
    assert request.path == "/v1beta/models/gemini:streamGenerateContent"


async def test_nothing_of_the_environment_has_a_say(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("GOOGLE_API_KEY", "another")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v9")
    monkeypatch.setenv("GOOGLE_GENAI_CLIENT_MODE", "replay")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    provider.says = events(_said({"text": "ok"}))

    await _ask(provider)

    [request] = provider.journal.requests
    assert request.path.startswith("/v1beta/")
    assert request.headers["x-goog-api-key"] == KEY
