"""Proves that an answer is gathered as it was said, and that what is told of it can be stored."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.providers.base import Tokens, ToolCall
from promptpilot.engine.providers.failures import Asked
from promptpilot.engine.providers.growing import GrowingReply
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import StepFailed

ASKED = Asked(ModelProvider.OPENAI, "a-model", None)


def _growing() -> tuple[GrowingReply, list[str]]:
    told: list[str] = []
    return GrowingReply(ASKED, told.append), told


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), st.data())
def test_text_is_the_same_however_it_was_cut(text: str, data: st.DataObject) -> None:
    growing, told = _growing()
    halves = text.encode("utf-16-le")
    at = data.draw(st.integers(0, len(halves) // 2)) * 2

    for part in (halves[:at], halves[at:]):
        growing.add_text(part.decode("utf-16-le", "surrogatepass"))

    assert growing.finished().text == "".join(told) == text


@pytest.mark.parametrize("piece", [5, None, ["a"], {"text": "a"}, "a\x00b", "\udc00a"])
def test_a_piece_that_cannot_be_stored_is_refused(piece: Any) -> None:
    growing, _ = _growing()

    with pytest.raises(StepFailed) as caught:
        growing.add_text(piece)

    assert caught.value.error_code == "OUTPUT_INVALID"


def test_half_a_character_at_the_end_is_refused() -> None:
    growing, told = _growing()
    growing.add_text("a\ud83d")

    with pytest.raises(StepFailed, match="cannot be stored"):
        growing.finished()
    assert told == ["a"]


def test_calls_of_tools_are_put_together_and_read_if_they_are_json() -> None:
    growing, _ = _growing()
    growing.add_tool(0, "call-1", "look_up", '{"a":')
    growing.add_tool(1, None, "other", "not {json")
    growing.add_tool(0, None, None, "1}")
    growing.add_tool(2, "call-3", "bare")

    calls = growing.finished().tool_calls

    assert calls == (
        ToolCall("call-1", "look_up", {"a": 1}),
        ToolCall(None, "other", "not {json"),
        ToolCall("call-3", "bare", {}),
    )


@pytest.mark.parametrize("junk", [-1, math.nan, math.inf, "7", True, [], {}, 10**30])
def test_numbers_of_tokens_that_are_none_count_as_nothing(junk: Any) -> None:
    growing, _ = _growing()
    growing.tokens = Tokens()

    counted = [growing.count(junk, "prompt_tokens") for _ in range(2)]

    assert counted == [0, 0]
    assert len(growing.finished().warnings) == 1
    assert not growing.finished().tokens.are_told


@pytest.mark.parametrize(("told", "counted"), [(7, 7), (7.0, 7), (0, 0), (None, 0)])
def test_numbers_of_tokens_are_whole(told: Any, counted: int) -> None:
    growing, _ = _growing()
    growing.tokens = Tokens()

    assert growing.count(told, "prompt_tokens") == counted
    assert growing.finished().warnings == ()
    assert growing.finished().tokens.are_told


def test_an_answer_without_end_is_broken_off() -> None:
    growing, _ = _growing()
    for _ in range(16):
        growing.add_text("x" * 1024 * 1024)

    with pytest.raises(StepFailed) as caught:
        growing.add_text("x")

    assert caught.value.error_code == "OUTPUT_TOO_LARGE"
