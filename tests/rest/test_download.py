"""Proves which part of a file is sent, and that a caller who takes nothing is left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.rest.download import PieceByPiece, Unsatisfiable, parse_range

SIZE = 10


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=2-4", range(2, 5)),
        ("Bytes=2-", range(2, 10)),
        ("bytes=2-99", range(2, 10)),
        ("bytes=-3", range(7, 10)),
        ("bytes=-99", range(10)),
        ("bytes=-", None),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=٣-٤", None),
        ("lines=0-1", None),
        ("bytes=0-" + 99 * "9", None),
        ("", None),
    ],
)
def test_one_part_that_is_well_asked_for_is_sent(header: str, part: range | None) -> None:
    assert parse_range(header, SIZE) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_what_lies_behind_the_end_cannot_be_sent(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, SIZE)


@given(st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True, alphabet="bytes=-0123456789"))
def test_a_part_always_lies_inside(header: str) -> None:
    try:
        part = parse_range(header, SIZE)
    except Unsatisfiable:
        return

    assert part is None or (0 <= part.start < part.stop <= SIZE)


@given(st.binary(max_size=200_000))
async def test_the_pieces_are_the_whole(content: bytes) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await PieceByPiece(memoryview(content), 200, {})({}, _nothing, send)

    assert b"".join(each["body"] for each in sent[1:]) == content
    assert [each["more_body"] for each in sent[1:]] == [True] * (len(sent) - 2) + [False]


async def test_a_caller_who_takes_nothing_is_left() -> None:
    begun: list[str] = []

    async def send(message: Any) -> None:
        begun.append(message["type"])
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    response = PieceByPiece(memoryview(b"x" * 200_000), 200, {}, timedelta(milliseconds=10))

    await response({}, _nothing, send)

    assert begun == ["http.response.start", "http.response.body"]


async def _nothing() -> Any:
    raise AssertionError("Nothing is read of the caller.")
