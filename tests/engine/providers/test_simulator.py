"""Proves that the simulator answers alike everywhere, and does what its script says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.providers import simulator
from promptpilot.engine.providers.base import ModelReply, ModelRequest
from promptpilot.engine.providers.simulator import Simulator
from promptpilot.errors import StepFailed

NO = {"code": "PROVIDER_RATE_LIMITED", "message": "Slow down.", "isRetryable": True}


def request(content: str = "Hi", attempt: int = 1, **script: Any) -> ModelRequest:
    """Make a request with a script."""
    parameters = {"extra": script} if script else {}
    return ModelRequest("echo", content, "key", attempt, parameters=parameters)


async def answer(content: str = "Hi", attempt: int = 1, **script: Any) -> ModelReply:
    """Ask."""
    return await Simulator().complete(request(content, attempt, **script))


@given(st.text(), st.text(), st.text())
def test_equal_requests_get_equal_replies(model: str, content: str, instructions: str) -> None:
    asked = ModelRequest(model, content, "k", instructions=instructions)
    again = ModelRequest(model, content, "other", attempt=2, instructions=instructions)

    assert asyncio.run(Simulator().complete(asked)) == asyncio.run(Simulator().complete(again))


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
    reply = await Simulator().complete(other)

    assert reply.text != (await answer("Hi")).text


async def test_a_long_prompt_is_quoted_in_part() -> None:
    text = (await answer("word " * 100)).text

    assert text.endswith("…")
    assert len(text) < 200


async def test_tokens_are_counted_and_cost_nothing() -> None:
    reply = await answer("12345", text="123456789")

    assert (reply.tokens.prompt, reply.tokens.completion) == (2, 3)
    assert (reply.cost_micros, reply.is_simulated, reply.finish_reason) == (0, True, "stop")


@pytest.mark.parametrize(
    ("text", "json"), [('{"a":1}', {"a": 1}), ("[1]", [1]), ("no", {"text": "no"})]
)
async def test_a_json_answer_is_given_when_asked_for(text: str, json: Any) -> None:
    parameters = {"responseFormat": "JSON_OBJECT", "extra": {"text": text}}

    reply = await Simulator().complete(ModelRequest("echo", "Hi", "k", parameters=parameters))

    assert (reply.text, reply.json) == (text, json)
    assert (await answer(text=text)).json is None


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
