"""Proves what rows keep of outputs, inputs and answers of models that are large."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.ledger_rows import (
    MAX_OUTPUT_BYTES,
    AttemptMark,
    Ended,
    Stored,
    attempt_row,
    calls_text,
    ended_row,
    output_text,
    shown_text,
    stored_output,
)
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.previews import INLINE_BYTES, PREVIEW_BYTES
from promptpilot.engine.scope import Outcome
from promptpilot.errors import InvalidInput, LimitExceeded
from tests.support.ledgers import place

MARK = AttemptMark(1, 10, 10)
#: A text whose JSON just fits into a row, and texts of one byte more, in letters of each width.
FITTING = "x" * (INLINE_BYTES - 2)
TOO_LONG = [
    f"{letter * (INLINE_BYTES // size)}." for letter, size in [("x", 1), ("ä", 2), ("🦉", 4)]
]


def stored(value: Any) -> Stored:
    """Store an output of a step."""
    return stored_output("ex_1", "0", value)


def call(answer: str | None) -> dict[str, Any]:
    """Make a call of a model as far as a row looks at it."""
    return {"model": "m", "outputText": answer}


def ended(*answers: str) -> Ended:
    """Make the end of a step whose models answered so."""
    return Ended(Outcome(StepStatus.COMPLETED), model_calls=[call(each) for each in answers])


def test_what_fits_is_kept_in_the_row() -> None:
    assert stored(FITTING) == Stored(json.dumps(FITTING))
    assert stored(f"{FITTING}.").size == INLINE_BYTES + 1


def test_no_output_is_no_text() -> None:
    assert stored(None) == Stored(None)


@pytest.mark.parametrize("value", TOO_LONG)
def test_what_does_not_fit_is_kept_aside_with_its_size_and_digest(value: str) -> None:
    found = stored({"text": value})

    body = json.dumps({"text": value}, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).hexdigest()
    assert found.size == len(body.encode())
    assert found.aside == {"execution_id": "ex_1", "path": "0", "sha256": digest, "body": body}


@given(st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=99), max_size=9))
def test_a_preview_is_small_and_of_the_same_shape(members: dict[str, Any]) -> None:
    found = stored({**members, "large": [TOO_LONG[0], *TOO_LONG]})

    assert found.text is not None
    assert len(found.text.encode()) <= PREVIEW_BYTES
    assert isinstance(json.loads(found.text), dict)


def test_a_text_at_hand_is_not_made_again() -> None:
    text = json.dumps([FITTING, 1])

    found = stored_output("ex_1", "$", [FITTING, 1], text)

    assert found.aside is not None
    assert found.aside["body"] is text


@pytest.mark.parametrize("letter", ["x", "ä", "🦉"])
def test_an_output_may_have_16_mib_and_not_a_byte_more(letter: str) -> None:
    room = MAX_OUTPUT_BYTES - 2
    fitting = letter * (room // len(letter.encode())) + "x" * (room % len(letter.encode()))

    text = output_text(fitting)

    assert len(text.encode()) == MAX_OUTPUT_BYTES
    with pytest.raises(LimitExceeded, match="larger than 16 MiB"):
        output_text(f"{fitting}x")


def test_an_output_that_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidInput):
        output_text({"ratio": float("nan")})


@pytest.mark.parametrize("answer", TOO_LONG)
def test_large_answers_of_models_are_cut(answer: str) -> None:
    text = calls_text([call("short"), call(answer), call(None)])

    first, second, third = json.loads(text or "")
    assert (first, third) == (call("short"), call(None))
    assert second["outputText"].endswith("…")
    assert answer.startswith(second["outputText"].removesuffix("…"))
    assert len(second["outputText"].encode()) <= PREVIEW_BYTES


def test_no_calls_are_no_text() -> None:
    assert calls_text([]) is None


def test_steps_and_attempts_keep_cut_answers_and_leave_the_calls_as_they_are() -> None:
    given_calls = ended(TOO_LONG[0])

    rows = [
        ended_row("ex_1", place(), given_calls, MARK, Stored(None)),
        attempt_row("ex_1", place(), MARK, given_calls, None),
    ]

    assert all(len(row["model_calls"]) <= PREVIEW_BYTES + 100 for row in rows)
    assert given_calls.model_calls == [call(TOO_LONG[0])]


@pytest.mark.parametrize("value", [None, {"n": 1}, FITTING])
def test_small_inputs_are_shown_in_full(value: Any) -> None:
    assert json.loads(shown_text(value) or "null") == value


@pytest.mark.parametrize("value", TOO_LONG)
def test_large_inputs_are_cut(value: str) -> None:
    text = shown_text({"content": value})

    assert text is not None
    assert len(text.encode()) <= PREVIEW_BYTES
    assert list(json.loads(text)) == ["content"]
