"""What is asked of Gemini: a request of ours in the words of theirs."""

from __future__ import annotations

from typing import Any, Final

from promptpilot.engine.prompt_texts import Role
from promptpilot.engine.providers.base import ModelRequest

_NAMES: Final = {
    "temperature": "temperature",
    "topP": "top_p",
    "maxTokens": "max_output_tokens",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "seed": "seed",
    "stop": "stop_sequences",
}
_ROLES: Final = {Role.USER: "user", Role.ASSISTANT: "model"}
_JSON: Final = {"JSON_OBJECT", "JSON_SCHEMA"}


def contents_of(request: ModelRequest) -> list[dict[str, Any]]:
    """Return the turns of the conversation, the user's last message at the end."""
    turns = [(_ROLES[turn.role], turn.content) for turn in request.turns]
    return [_content(role, text) for role, text in (*turns, ("user", request.content))]


def config_of(request: ModelRequest) -> dict[str, Any]:
    """Return the fields of a `GenerateContentConfig`: one request, no tool run by the library."""
    parameters = {name: value for name, value in request.parameters.items() if value is not None}
    config: dict[str, Any] = {
        theirs: parameters[ours] for ours, theirs in _NAMES.items() if ours in parameters
    }
    if request.instructions:
        config["system_instruction"] = request.instructions
    if parameters.get("responseFormat") in _JSON:
        config["response_mime_type"] = "application/json"
    if parameters.get("responseFormat") == "JSON_SCHEMA" and "responseSchema" in parameters:
        config["response_json_schema"] = dict(parameters["responseSchema"])
    return {
        **config,
        "automatic_function_calling": {"disable": True},
        "automatic_continuation": False,
    }


def extra_of(request: ModelRequest) -> dict[str, Any]:
    """Return what `parameters.extra` adds to the body; `stream` in it is no part of that."""
    extra = request.parameters.get("extra") or {}
    return {name: value for name, value in extra.items() if name != "stream"}


def _content(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}
