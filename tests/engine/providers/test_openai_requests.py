"""Proves what OpenAI and servers like it are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.prompt_texts import Role, Turn
from promptpilot.engine.providers.base import ModelRequest
from promptpilot.engine.providers.openai_requests import body_of
from promptpilot.engine.step_configs import ModelProvider

OPENAI, AZURE, COMPATIBLE = (
    ModelProvider.OPENAI,
    ModelProvider.AZURE_OPENAI,
    ModelProvider.OPENAI_COMPATIBLE,
)
STRICT = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
#: Schemas -> whether strict mode takes them.
SCHEMAS: list[tuple[dict[str, Any], bool]] = [
    (STRICT, True),
    ({"type": "array", "items": STRICT}, True),
    ({**STRICT, "$defs": {"x": STRICT}}, True),
    ({**STRICT, "required": []}, False),
    ({**STRICT, "additionalProperties": True}, False),
    ({"type": "object"}, False),
    ({"anyOf": [STRICT, {"type": "object"}]}, False),
    ({**STRICT, "properties": {"a": {"type": "object"}}}, False),
]


def _body(
    provider: ModelProvider = OPENAI, model: str = "gpt-4o", **parameters: Any
) -> dict[str, Any]:
    return body_of(ModelRequest(model, "Hello", "k", parameters=parameters), provider)


def test_parameters_have_their_names_and_none_is_left_out() -> None:
    body = _body(
        temperature=0.5, topP=0.9, presencePenalty=1, frequencyPenalty=-1, seed=7, stop=["x"]
    )

    assert {name: body[name] for name in ("temperature", "top_p", "seed", "stop")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["x"],
    }
    assert (body["presence_penalty"], body["frequency_penalty"]) == (1, -1)
    assert _body(temperature=None).keys() == {"model", "messages", "stream", "stream_options"}


def test_the_conversation_stands_in_order() -> None:
    turns = (Turn(Role.USER, "a"), Turn(Role.ASSISTANT, "b"))
    request = ModelRequest("m", "c", "k", instructions="Be brief.", turns=turns)

    messages = body_of(request, OPENAI)["messages"]

    said = [(message["role"], message["content"]) for message in messages]
    assert said == [("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c")]


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        (OPENAI, "gpt-4o", "max_completion_tokens"),
        (AZURE, "our-o3-mini", "max_completion_tokens"),
        (AZURE, "gpt-5-nano", "max_completion_tokens"),
        (AZURE, "gpt-4o", "max_tokens"),
        (AZURE, "gpt-35-turbo", "max_tokens"),
        (COMPATIBLE, "gpt-5", "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_model_knows(
    provider: ModelProvider, model: str, name: str
) -> None:
    body = _body(provider, model, maxTokens=9)

    limits = {key: value for key, value in body.items() if key.startswith("max")}
    assert limits == {name: 9}


def test_extra_is_added_as_it_is_and_wins() -> None:
    extra = {"temperature": 2, "logit_bias": {"1": 2}, "stream": False, "apiVersion": "x"}

    body = _body(temperature=1, extra=extra)

    assert (body["temperature"], body["logit_bias"], body["stream"]) == (2, {"1": 2}, False)
    assert "apiVersion" not in body
    assert "stream_options" not in body


@pytest.mark.parametrize(("schema", "is_strict"), SCHEMAS)
def test_strict_mode_is_asked_for_if_the_schema_allows_it(
    schema: dict[str, Any], *, is_strict: bool
) -> None:
    asked = _body(responseFormat="JSON_SCHEMA", responseSchema=schema)["response_format"]

    named = {"name": "answer", "schema": schema, "strict": is_strict}
    assert asked == {"type": "json_schema", "json_schema": named}


@pytest.mark.parametrize(("content", "count"), [("Say it as JSON", 1), ("Say it", 2)])
def test_the_word_json_is_added_where_it_is_missing(content: str, count: int) -> None:
    request = ModelRequest("m", content, "k", parameters={"responseFormat": "JSON_OBJECT"})

    body = body_of(request, OPENAI)

    assert body["response_format"] == {"type": "json_object"}
    assert len(body["messages"]) == count
