"""Proves that instants are read with their offset and written in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.instants import instant_text, read_instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T04:00:00Z", datetime(2026, 11, 23, 4, tzinfo=UTC)),
        ("2026-11-23t04:00:00.5z", datetime(2026, 11, 23, 4, 0, 0, 500_000, UTC)),
        ("2026-11-23 04:00:00.123456789+01:00", datetime(2026, 11, 23, 3, 0, 0, 123456, UTC)),
    ],
)
def test_a_text_with_an_offset_is_an_instant(text: str, instant: datetime) -> None:
    assert read_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T04:00:00",
        "2026-13-23T04:00:00Z",
        "2026-11-23T04:00:60Z",
        "0001-01-01T00:00:00+23:59",
        "20261123T040000Z",
        "2026-11-23T04:00:00Z\n",
        "\N{FULLWIDTH DIGIT TWO}026-11-23T04:00:00Z",
    ],
)
def test_any_other_text_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a time"):
        read_instant(text)


@given(st.datetimes(min_value=datetime(1, 1, 2)))  # noqa: DTZ001 -- the zone is put on below
def test_an_instant_that_is_written_is_read_to_the_millisecond(moment: datetime) -> None:
    instant = moment.replace(tzinfo=timezone(timedelta(hours=5, minutes=30)))

    read = read_instant(instant_text(instant))

    assert instant_text(instant).endswith("Z")
    assert timedelta() <= instant - read < timedelta(milliseconds=1)
