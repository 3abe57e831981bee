"""Proves that no event of a stream is longer than a reader must hold, however it is cut up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.providers.events_limit import MAX_EVENT_BYTES, EventLimit


def _passes(*pieces: bytes) -> bool:
    limit = EventLimit()
    return any(limit.is_passed_by(piece) for piece in pieces)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_many_short_events_never_pass(end: bytes) -> None:
    event = b"data: " + b"x" * 10_000 + end

    assert not _passes(*[event] * 300)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_an_end_that_comes_in_two_pieces_is_an_end(end: bytes) -> None:
    event = b"data: " + b"x" * 10_000 + end

    assert not _passes(*[part for _ in range(300) for part in (event[:-1], event[-1:])])


def test_an_event_of_many_lines_passes() -> None:
    assert _passes(*[b"data: " + b"x" * 10_000 + b"\n"] * 100)


def test_one_long_piece_passes_though_it_ends() -> None:
    assert _passes(b"x" * (MAX_EVENT_BYTES + 1) + b"\n\ndata: 1")


@given(st.lists(st.integers(1, 150), min_size=1, max_size=20), st.integers(1, 200))
def test_the_verdict_does_not_depend_on_the_pieces(sizes: list[int], cut: int) -> None:
    stream = b"".join(b"x" * size + b"\n\n" for size in sizes)
    limit = EventLimit(100)

    is_passed = any(limit.is_passed_by(stream[at : at + cut]) for at in range(0, len(stream), cut))

    assert is_passed == (max(sizes) + len(b"\n\n") > 100)
