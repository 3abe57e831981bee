"""Proves that whatever a model says can be stored, and that what was changed is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.providers.base import ModelReply, ToolCall
from promptpilot.engine.steps.storable_replies import storable
from promptpilot.json_values import check_json

ANY_TEXT = st.text(st.characters(codec=None))


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_text_becomes_one_that_can_be_stored(text: str, reason: str, name: str) -> None:
    given = ModelReply(text, (ToolCall(name, name, name),), reason, request_id=reason)

    reply = storable(given)

    call = reply.tool_calls[0]
    check_json([reply.text, reply.finish_reason, reply.request_id, list(reply.warnings)])
    check_json([call.id, call.name, call.arguments])


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_what_can_be_stored_stays_as_it_is(text: str) -> None:
    reply = ModelReply(text, (ToolCall(None, "look", {"q": text}),), warnings=(text,))

    assert storable(reply) == reply


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_a_character_that_cannot_be_stored_is_replaced_and_told(text: str) -> None:
    reply = storable(ModelReply(text))

    assert reply.text == "a\ufffdb"
    assert "characters that cannot be stored" in reply.warnings[0]


@pytest.mark.parametrize("arguments", [float("nan"), {"a": "\x00"}, 10**4000])
def test_arguments_that_cannot_be_stored_are_left_out(arguments: Any) -> None:
    reply = storable(ModelReply("", (ToolCall("c", "look", arguments),)))

    assert reply.tool_calls == (ToolCall("c", "look", None),)
    assert "arguments of a tool call" in reply.warnings[0]
