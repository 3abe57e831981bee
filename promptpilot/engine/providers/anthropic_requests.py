"""What is asked of Anthropic's messages: a request of ours in the words of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anthropic

from promptpilot.engine.providers.base import ModelRequest
from promptpilot.json_values import encode_json

#: Anthropic wants a limit with every request; answers that meet this one are told of it.
DEFAULT_MAX_TOKENS: Final = 4096
_HIGHEST_TEMPERATURE: Final = 1.0
_NAMES: Final = {
    "maxTokens": "max_tokens",
    "stop": "stop_sequences",
    "temperature": "temperature",
    "topP": "top_p",
}
_UNKNOWN: Final = ("presencePenalty", "frequencyPenalty", "seed")
_ONE_OBJECT: Final = "Answer with one JSON object and nothing else."
_AS_SCHEMA: Final = "Answer with JSON that satisfies this JSON Schema, and with nothing else:\n"


def body_of(request: ModelRequest) -> tuple[dict[str, Any], list[str]]:
    """Return the body of a streamed request, and warnings of what of it cannot be asked for.

    `parameters.extra` is added as it is and wins; `"stream": false` in it asks for one piece.
    """
    parameters = {name: value for name, value in request.parameters.items() if value is not None}
    warnings = [
        f"Anthropic has no parameter {name}; it was left out."
        for name in _UNKNOWN
        if name in parameters
    ]
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": [
            *({"role": turn.role.lower(), "content": turn.content} for turn in request.turns),
            {"role": "user", "content": request.content},
        ],
        "stream": True,
        **{theirs: parameters[ours] for ours, theirs in _NAMES.items() if ours in parameters},
    }
    if body.get("temperature", 0) > _HIGHEST_TEMPERATURE:
        warnings.append("Anthropic's highest temperature is 1; it was asked for 1.")
        body["temperature"] = _HIGHEST_TEMPERATURE
    body |= _form(parameters, request.instructions, warnings)
    return body | dict(parameters.get("extra") or {}), warnings


def _form(
    parameters: Mapping[str, Any], instructions: str | None, warnings: list[str]
) -> dict[str, Any]:
    """Return the parts of the body that ask for a form of the answer, and the instructions.

    Anthropic takes closed schemas alone, and knows no JSON without one: the instructions ask then.
    """
    wanted = parameters.get("responseFormat")
    schema = parameters.get("responseSchema") or {}
    if wanted == "JSON_OBJECT":
        return _system(instructions, _ONE_OBJECT)
    if wanted != "JSON_SCHEMA":
        return _system(instructions)
    closed = _closed(schema)
    if closed is None:
        warnings.append(
            "Anthropic takes no schema like this one; it was sent as part of the instructions."
        )
        return _system(instructions, _AS_SCHEMA + encode_json(schema))
    form = {"format": {"type": "json_schema", "schema": closed}}
    return {**_system(instructions), "output_config": form}


def _system(*texts: str | None) -> dict[str, Any]:
    system = "\n\n".join(text for text in texts if text)
    return {"system": system} if system else {}


def _closed(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a schema as Anthropic takes it, its limits as descriptions; None if it cannot be.

    A schema for names that it does not list would lose its sense when it is closed.
    """
    if _is_open(schema):
        return None
    try:
        return anthropic.transform_schema(dict(schema))
    except (ValueError, TypeError, AttributeError, AssertionError, RecursionError):
        return None


def _is_open(schema: Any) -> bool:
    """Whether a part of a schema is about properties that it does not name."""
    if isinstance(schema, list):
        return any(map(_is_open, schema))
    if not isinstance(schema, Mapping):
        return False
    is_object = schema.get("type") == "object"
    has_names = "properties" in schema
    is_open_here = "patternProperties" in schema or bool(schema.get("additionalProperties"))
    return is_open_here or (is_object and not has_names) or any(map(_is_open, schema.values()))
