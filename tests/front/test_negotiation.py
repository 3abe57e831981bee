"""Proves how Accept and Content-Type are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.front.negotiation import LEGACY, RESPONSE, choose, is_json, prefers_html

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, LEGACY),
        (" ", LEGACY),
        (BROWSER, LEGACY),
        ("application/*", LEGACY),
        (f"{LEGACY};q=0, */*", RESPONSE),
        (f"{LEGACY};q=0, {RESPONSE};q=0, */*", None),
        (f"{LEGACY}; q=0.2, {RESPONSE}; charset=utf-8; q=0.9", RESPONSE),
        (f"{RESPONSE.upper()}", RESPONSE),
        (f"{LEGACY};q=x", None),
        ("text/event-stream", None),
        (",,;", None),
    ],
)
def test_the_best_type_is_chosen(accept: str | None, media_type: str | None) -> None:
    assert choose(accept) == media_type


@pytest.mark.parametrize(
    ("accept", "is_html"),
    [(BROWSER, True), (None, False), ("*/*", False), (f"{LEGACY}, text/html", False)],
)
def test_only_a_browser_prefers_html(accept: str | None, is_html: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    assert prefers_html(accept) is is_html


@given(st.text())
def test_no_header_breaks_the_reading(header: str) -> None:
    assert choose(header) in (LEGACY, RESPONSE, None)
    assert prefers_html(header) in (True, False)
    assert is_json(header) in (True, False)
