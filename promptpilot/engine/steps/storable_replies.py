"""Makes what a model said fit to be stored: no database takes every character that may come."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from promptpilot.engine.providers.base import ModelReply, ToolCall
from promptpilot.errors import InvalidInput
from promptpilot.json_values import check_json

_STAND_IN: Final = "\ufffd"
_CHARACTERS: Final = (
    "The answer had characters that cannot be stored; U+FFFD stands in their place."
)
_ARGUMENTS: Final = "The arguments of a tool call cannot be stored; null stands in their place."


def storable(reply: ModelReply) -> ModelReply:
    """Return the reply with nothing in it that cannot be stored; its warnings say what was not."""
    text = _text(reply.text)
    calls = tuple(_call(each) for each in reply.tool_calls)
    warnings = [_text(each) for each in reply.warnings]
    if text != reply.text:
        warnings.append(_CHARACTERS)
    if calls != reply.tool_calls:
        warnings.append(_ARGUMENTS)
    return replace(
        reply,
        text=text,
        tool_calls=calls,
        finish_reason=_optional(reply.finish_reason),
        request_id=_optional(reply.request_id),
        warnings=tuple(warnings),
    )


def _text(text: str) -> str:
    if text.isascii() and "\x00" not in text:
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", _STAND_IN)


def _optional(text: str | None) -> str | None:
    return None if text is None else _text(text)


def _call(call: ToolCall) -> ToolCall:
    try:
        check_json(call.arguments)
    except InvalidInput:
        return ToolCall(_optional(call.id), _text(call.name), None)
    return ToolCall(_optional(call.id), _text(call.name), call.arguments)
