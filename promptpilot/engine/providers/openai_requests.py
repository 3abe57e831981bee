"""What is asked in the words of OpenAI's chat completions: a request of ours as their body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptpilot.engine.providers.base import ModelRequest
from promptpilot.engine.step_configs import ModelProvider

_NAMES: Final = {
    "temperature": "temperature",
    "topP": "top_p",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "seed": "seed",
    "stop": "stop",
}
#: Models that know the newer name of the limit only; deployments are often called like them.
_NEWER: Final = re.compile(r"(?:^|[^a-z0-9])(?:o[1-9]|gpt-?(?:[5-9]|[12][0-9]))(?![0-9])")
#: Members of `extra` that are for the adapter and not for the provider.
_OWN: Final = frozenset({"apiVersion"})
_ONE_OBJECT: Final = "Answer with one JSON object and nothing else."
_SCHEMA_NAME: Final = "answer"
#: Where a JSON Schema holds further schemas.
_LISTS: Final = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS: Final = ("properties", "$defs", "definitions")


def body_of(request: ModelRequest, provider: ModelProvider) -> dict[str, Any]:
    """Return the body of a streamed request.

    `parameters.extra` is added as it is and wins; `"stream": false` in it asks for one piece.
    """
    given = {name: value for name, value in request.parameters.items() if value is not None}
    extra = given.get("extra") or {}
    body: dict[str, Any] = {
        "model": request.model,
        "messages": list(_messages(request)),
        "stream": True,
        **{theirs: given[ours] for ours, theirs in _NAMES.items() if ours in given},
        **_format(given),
        **{name: value for name, value in extra.items() if name not in _OWN},
    }
    if "maxTokens" in given:
        body.setdefault(_limit_name(request.model, provider), given["maxTokens"])
    if body["stream"]:
        body.setdefault("stream_options", {"include_usage": True})
    return body


def without_stream_options(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body for a server that does not know them; it may tell no tokens then."""
    return {name: value for name, value in body.items() if name != "stream_options"}


def _messages(request: ModelRequest) -> Iterator[dict[str, Any]]:
    instructions = [request.instructions] if request.instructions else []
    if _needs_word(request):
        instructions.append(_ONE_OBJECT)
    if instructions:
        yield {"role": "system", "content": "\n\n".join(instructions)}
    for turn in request.turns:
        yield {"role": turn.role.lower(), "content": turn.content}
    yield {"role": "user", "content": request.content}


def _needs_word(request: ModelRequest) -> bool:
    """Whether the word is missing without which OpenAI refuses to answer in JSON."""
    if request.parameters.get("responseFormat") != "JSON_OBJECT":
        return False
    texts = (request.instructions or "", request.content, *(turn.content for turn in request.turns))
    return not any("json" in text.lower() for text in texts)


def _format(given: Mapping[str, Any]) -> dict[str, Any]:
    schema = given.get("responseSchema")
    match given.get("responseFormat"):
        case "JSON_OBJECT":
            return {"response_format": {"type": "json_object"}}
        case "JSON_SCHEMA" if isinstance(schema, Mapping):
            named = {"name": _SCHEMA_NAME, "schema": schema, "strict": _can_be_strict(schema)}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        case _:
            return {}


def _can_be_strict(schema: Any) -> bool:
    """Whether strict mode takes a schema: each object lists all that it may hold, as required."""
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties")
        names = set(properties) if isinstance(properties, Mapping) else set()
        required = schema.get("required")
        is_whole = isinstance(required, list) and set(map(str, required)) == names
        if not is_whole or schema.get("additionalProperties") is not False:
            return False
    return all(_can_be_strict(each) for each in _schemas_within(schema))


def _schemas_within(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield schema.get("items")
    for name in _LISTS:
        members = schema.get(name)
        yield from members if isinstance(members, list) else ()
    for name in _MAPS:
        members = schema.get(name)
        yield from members.values() if isinstance(members, Mapping) else ()


def _limit_name(model: str, provider: ModelProvider) -> str:
    is_newer = provider is ModelProvider.OPENAI or (
        provider is ModelProvider.AZURE_OPENAI and _NEWER.search(model.lower())
    )
    return "max_completion_tokens" if is_newer else "max_tokens"
