"""Proves that an answer is seen while it grows, and that no secret is, however it is cut."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptpilot.engine.growing_text import GrowingText
from promptpilot.engine.scrub import Scrubber

KEY = "sk/proj-9f8A7b6C5d4E3f2G1h"
NOTHING = Scrubber(())

pieces = st.text("sk-proj9 aé%\\n=+", max_size=12)
secrets = st.text("sk-pro9a+/é", min_size=4, max_size=12)


def show(chunks: Sequence[str], scrubber: Scrubber) -> list[str]:
    """Return what is shown after each chunk, and at the end."""
    text, shown = GrowingText(), []
    for chunk in chunks:
        text.take(chunk)
        shown.append(text.grow(scrubber))
    return [*shown, text.finish(scrubber)]


def forms(secret: str) -> list[str]:
    """Return ways in which a model may repeat a secret."""
    in_base64 = b64encode(secret.encode()).decode()
    numbers = "".join(f"\\u{ord(char):04x}" for char in secret)
    return [secret, secret.encode().hex(), in_base64, quote(secret, safe=""), numbers]


@given(chunks=st.lists(pieces), size=st.integers(1, 5))
def test_without_secrets_everything_is_shown_at_once(chunks: list[str], size: int) -> None:
    assert show(chunks, NOTHING) == [*chunks, ""]


@given(
    known=st.lists(secrets, min_size=1, max_size=3),
    before=pieces,
    after=pieces,
    place=st.integers(0, 4),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
@example(known=["abcd", "abcdefgh"], before="", after="", place=0, cuts=[4])
def test_however_an_answer_is_cut_it_is_shown_as_if_it_were_whole(
    known: list[str], before: str, after: str, place: int, cuts: list[int]
) -> None:
    whole, scrubber = before + forms(known[-1])[place] + after, Scrubber(known)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]

    shown = show([whole[i:j] for i, j in pairwise(places)], scrubber)

    assert "".join(shown) == scrubber.text(whole)


@pytest.mark.parametrize("form", forms(KEY))
def test_no_character_after_the_beginning_of_a_secret_is_shown_one_by_one(form: str) -> None:
    shown = show(f"The key is {form}, keep it.", Scrubber([KEY]))

    assert "".join(shown) == "The key is ***, keep it."


def test_of_ordinary_text_only_the_last_characters_are_held_back() -> None:
    text = "It was a dark and stormy night, and the server was up. " * 20

    shown = show([text], Scrubber([KEY * 4]))

    assert len(shown[0]) >= len(text) - 8


def test_a_text_is_shown_up_to_the_limit_and_no_character_is_cut() -> None:
    text = GrowingText(max_bytes=5)

    for chunk in ("ab", "éé", "c"):
        text.take(chunk)

    assert text.finish(NOTHING) == "abé"


def test_what_looks_like_the_beginning_of_a_secret_is_shown_when_it_is_none() -> None:
    shown = show(["sk/p", "resident ", "x" * 2000], Scrubber([KEY]))

    assert shown[:2] == ["", ""]
    assert "".join(shown[:3]).startswith("sk/president xxx")


def test_what_follows_a_secret_is_shown_soon() -> None:
    shown = show([f"You sent {KEY}", ", which is a secret of yours alone."], Scrubber([KEY]))

    assert shown[1].startswith("***, which is a secret of you")
