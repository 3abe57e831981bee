"""Proves what the scalars take, what they refuse, and what they say about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.schema import scalars


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T04:00:00Z", datetime(2026, 11, 23, 4, tzinfo=UTC)),
        ("2026-11-23t04:00:00.5z", datetime(2026, 11, 23, 4, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-23T04:00:00.123456789+01:00", datetime(2026, 11, 23, 3, 0, 0, 123456, UTC)),
        ("2026-11-23 04:00:00-00:00", datetime(2026, 11, 23, 4, tzinfo=UTC)),
    ],
)
def test_a_time_with_an_offset_is_read(text: str, instant: datetime) -> None:
    assert scalars.read_instant(text) == instant


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T04:00:00",
        "2026-11-23",
        "2026-13-23T04:00:00Z",
        "2026-11-23T25:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "\N{FULLWIDTH DIGIT TWO}026-11-23T04:00:00Z",
        "tomorrow",
        1_700_000_000,
        None,
    ],
)
def test_anything_else_is_no_time_and_is_named(value: object) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        scalars.read_instant(value)


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30)))))
def test_a_time_that_is_shown_is_read_as_itself(instant: datetime) -> None:
    try:
        shown = scalars.show_instant(instant)
    except OverflowError:
        return  # the first hours of the year 1 are before it in UTC

    assert shown.endswith("Z")
    assert scalars.read_instant(shown) == instant


def test_an_instant_without_a_zone_is_not_shown() -> None:
    with pytest.raises(ValueError, match="zone"):
        scalars.show_instant(datetime(2026, 1, 1))  # noqa: DTZ001 -- that is the point


@pytest.mark.parametrize("number", [0, -(2**53) + 1, 2**53 - 1])
def test_integers_below_two_to_the_53_are_safe(number: int) -> None:
    assert scalars.read_safe_int(number) == number


@pytest.mark.parametrize("value", [2**53, -(2**53), True, "7", 1.5, None])
def test_what_javascript_cannot_keep_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not"):
        scalars.read_safe_int(value)


@pytest.mark.parametrize("value", [float("nan"), "\x00", "\ud800", {"a": [float("inf")]}, object()])
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        scalars.read_json(value)


@pytest.mark.parametrize("value", [[], "text", 7, None, True])
def test_a_json_object_is_neither_a_list_nor_a_bare_value(value: object) -> None:
    with pytest.raises(ValueError, match="is not a JSON object"):
        scalars.read_json_object(value)


@pytest.mark.parametrize("value", ["ftp://example.org", "example.org", "https://", 7])
def test_only_absolute_http_urls_are_read(value: object) -> None:
    with pytest.raises(ValueError, match="is not"):
        scalars.read_url(value)


def test_money_is_shown_without_an_exponent() -> None:
    assert scalars.show_decimal(Decimal(315).scaleb(-6)) == "0.000315"
    assert scalars.show_decimal(Decimal(0).scaleb(-6)) == "0.000000"
    assert scalars.read_decimal("0.000315") == Decimal("0.000315")


@pytest.mark.parametrize("value", ["1e3", "", "NaN", 1.5])
def test_what_is_no_decimal_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a decimal number"):
        scalars.read_decimal(value)


def test_a_value_that_no_client_can_read_is_escaped_in_the_message() -> None:
    with pytest.raises(ValueError, match="not a time") as refused:
        scalars.read_instant("\ud800")

    assert "\\ud800" in str(refused.value)
    assert str(refused.value).encode()


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ValueError, match="…") as refused:
        scalars.read_instant("x" * 5000)

    assert len(str(refused.value)) < 200
