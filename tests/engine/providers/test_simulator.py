"""Proves that the simulator answers alike everywhere, and does what its script says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.providers import simulator
from promptpilot.engine.providers.base import ModelReply, ModelRequest, TextSink, Tokens, ToolCall
from promptpilot.engine.providers.simulator import Simulator
from promptpilot.engine.structured import read_json
from promptpilot.errors import StepFailed

NO = {"code": "PROVIDER_RATE_LIMITED", "message": "Slow down.", "isRetryable": True}


def request(content: str = "Hi", attempt: int = 1, **script: Any) -> ModelRequest:
    """Make a request with a script."""
    parameters = {"extra": script} if script else {}
    return ModelRequest("echo", content, "key", attempt, parameters=parameters)


async def answer(content: str = "Hi", attempt: int = 1, **script: Any) -> ModelReply:
    """Ask."""
    return await complete(request(content, attempt, **script))


async def complete(asked: ModelRequest, on_text: TextSink = lambda text: None) -> ModelReply:
    """Ask the simulator, which needs no account."""
    return await Simulator().complete(asked, None, on_text)


@given(st.text(), st.text(), st.text())
def test_equal_requests_get_equal_replies(model: str, content: str, instructions: str) -> None:
    asked = ModelRequest(model, content, "k", instructions=instructions)
    again = ModelRequest(model, content, "other", attempt=2, instructions=instructions)

    assert asyncio.run(complete(asked)) == asyncio.run(complete(again))


async def test_the_answer_is_the_same_in_every_process() -> None:
    assert (await answer("Say hello.")).text == "[echo ab557d45] Say hello."


@pytest.mark.parametrize(
    "other",
    [
        ModelRequest("other", "Hi", "key"),
        ModelRequest("echo", "Ho", "key"),
        ModelRequest("echo", "Hi", "key", instructions="Shout."),
    ],
)
async def test_the_answer_depends_on_the_whole_request(other: ModelRequest) -> None:
    reply = await complete(other)

    assert reply.text != (await answer("Hi")).text


async def test_a_long_prompt_is_quoted_in_part() -> None:
    text = (await answer("word " * 100)).text

    assert text.endswith("…")
    assert len(text) < 200


async def test_tokens_are_counted_and_cost_nothing() -> None:
    reply = await answer("12345", text="123456789")

    assert (reply.tokens.prompt, reply.tokens.completion) == (2, 3)
    assert (reply.is_simulated, reply.finish_reason) == (True, "stop")


async def test_a_json_answer_is_made_up_when_asked_for() -> None:
    parameters = {"responseFormat": "JSON_OBJECT"}

    reply = await complete(ModelRequest("echo", "Hi", "k", parameters=parameters))

    assert json.loads(reply.text) == {"text": (await answer("Hi")).text}


async def test_json_after_a_schema_is_made_up_when_asked_for() -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    parameters = {"responseFormat": "JSON_SCHEMA", "responseSchema": schema}

    reply = await complete(ModelRequest("echo", "Hi", "k", parameters=parameters))

    assert read_json(reply.text, parameters) == {"n": json.loads(reply.text)["n"]}


async def test_a_value_of_the_script_is_answered_as_json() -> None:
    assert (await answer(json={"a": [1]})).text == '{"a":[1]}'


async def test_an_answer_grows_in_pieces() -> None:
    seen: list[str] = []

    reply = await complete(request(chunks=["Hel", "lo"], chunkDelayMs=1), seen.append)

    assert (seen, reply.text) == (["Hel", "lo"], "Hello")
    assert (reply.first_token_ms, reply.latency_ms) == (0, 1)


@pytest.mark.parametrize(
    ("script", "waits"),
    [
        ({"latencyMs": 9}, (9, 0, 0)),
        ({"latencyMs": 9, "firstTokenMs": 2}, (2, 0, 7)),
        ({"latencyMs": 9, "chunkDelayMs": 2, "pieces": 3}, (5, 2, 0)),
        ({"firstTokenMs": 1, "chunkDelayMs": 10**6, "pieces": 3}, (1, 30_000, 0)),
    ],
)
def test_the_waits_make_up_the_latency(script: dict[str, Any], waits: tuple[int, ...]) -> None:
    assert simulator._waits(script, script.get("pieces", 1)) == waits


async def test_tool_calls_usage_and_the_reason_of_the_end_may_be_scripted() -> None:
    call = {"id": "c1", "name": "look", "arguments": {"q": 1}}
    usage = {"prompt": 9, "cached": 4, "cacheWrite": 1, "completion": 3, "reasoning": 2}

    reply = await answer(toolCalls=[call, "no"], usage=usage, finishReason="tool_calls")

    assert reply.tool_calls == (ToolCall("c1", "look", {"q": 1}),)
    assert reply.tokens == Tokens(9, 3, 4, 1, 2)
    assert reply.finish_reason == "tool_calls"


async def test_each_attempt_may_have_a_script_of_its_own() -> None:
    script: dict[str, Any] = {"finishReason": "end"}
    script["attempts"] = [{"text": "a"}, {"error": NO}, {"text": "c"}]

    first, last = [await answer(attempt=each, **script) for each in (1, 4)]

    assert (first.text, last.text, last.finish_reason) == ("a", "c", "end")
    with pytest.raises(StepFailed):
        await answer(attempt=2, **script)


async def test_a_scripted_failure_may_ask_to_wait() -> None:
    error = {"code": "PROVIDER_RATE_LIMITED", "retryAfterSeconds": 7}

    with pytest.raises(StepFailed) as failure:
        await answer(error=error)

    assert (failure.value.retry_after, failure.value.is_retryable) == (timedelta(seconds=7), True)


async def test_a_code_that_is_none_is_not_taken() -> None:
    with pytest.raises(StepFailed) as failure:
        await answer(error={"code": "not a code"})

    assert failure.value.error_code == "PROVIDER_UNAVAILABLE"


async def test_a_scripted_failure_is_raised_at_every_attempt() -> None:
    for attempt in (1, 5):
        with pytest.raises(StepFailed) as failure:
            await answer(attempt=attempt, error=NO)

        assert failure.value.error_code == "PROVIDER_RATE_LIMITED"
        assert (failure.value.message, failure.value.is_retryable) == ("Slow down.", True)


async def test_only_the_first_attempts_may_fail() -> None:
    for attempt in (1, 2):
        with pytest.raises(StepFailed):
            await answer(attempt=attempt, error=NO, failAttempts=2)

    assert (await answer(attempt=3, error=NO, failAttempts=2, text="ok")).text == "ok"


async def test_a_failure_may_leave_everything_open() -> None:
    with pytest.raises(StepFailed) as failure:
        await answer(error={"x": 1})

    assert (failure.value.error_code, failure.value.is_retryable) == ("PROVIDER_UNAVAILABLE", False)


async def test_a_failure_that_is_no_object_is_ignored() -> None:
    assert (await answer(error="no", text="ok")).text == "ok"


@pytest.mark.parametrize(
    ("wanted", "latency_ms"),
    [(1, 1), (1.9, 1), (-5, 0), (True, 0), ("10", 0), (None, 0), (10**9, 60_000)],
)
def test_a_latency_is_a_number_up_to_a_minute(wanted: Any, latency_ms: int) -> None:
    latency: Callable[[dict[str, Any]], int] = simulator._latency

    assert latency({"latencyMs": wanted}) == latency_ms


async def test_an_answer_takes_its_latency() -> None:
    assert (await answer(latencyMs=2)).latency_ms == 2
