"""Proves what cron expressions mean, and that those which may mean something else are refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from promptpilot.engine.triggers.cron import MAX_LENGTH, NAMED, parse_cron
from promptpilot.engine.triggers.cron_fields import KINDS, read_field
from promptpilot.errors import InvalidInput
from tests.support.crons import cron_texts

_SPELLED_OUT = [
    ("* * * * *", "* * * * *"),
    ("0 0 ? * ?", "0 0 * * *"),
    ("0,30 9-11 * * *", "0,30 9,10,11 * * *"),
    ("*/20 */8 * * *", "0,20,40 0,8,16 * * *"),
    ("10-30/10 5/9 * * *", "10,20,30 5,14,23 * * *"),
    ("59/15 23/5 * * *", "59 23 * * *"),
    ("0 22-2 * * *", "0 0,1,2,22,23 * * *"),
    ("0 0 29-2 nov-feb *", "0 0 1,2,29,30,31 1,2,11,12 *"),
    ("0 0 * * fri-mon", "0 0 * * 0,1,5,6"),
    ("0 0 * * 5-7", "0 0 * * 0,5,6"),
    ("0 0 * * 7-2", "0 0 * * 0,1,2"),
    ("0 0 * * 0-7/2", "0 0 * * 0,2,4,6"),
    ("0 0 * JAN,Dec Sun", "0 0 * 1,12 0"),
    ("0 0 L * *", "0 0 L * *"),
    ("0 0 15,L * *", "0 0 15,L * *"),
    ("0 0 * * L5", "0 0 * * L5"),
    ("0 0 * * L7,1#2", "0 0 * * L0,1#2"),
    ("0 0 * * fri#3", "0 0 * * 5#3"),
    ("\t0  0 1 * *\t", "0 0 1 * *"),
    *NAMED.items(),
    ("@Daily", "0 0 * * *"),
]
#: What is refused, and words that its message has: the field, the reason, the way out.
_REFUSED = [
    ("", "exactly five fields"),
    ("0 0 * *", "exactly five fields (minute, hour, day-of-month, month, day-of-week)"),
    ("*/10 * * * * *", "has 6; seconds and years cannot be given"),
    ("0 0 0 1 1 * 2030", "has 7; seconds and years cannot be given"),
    ("@reboot", "'@reboot' is not known; use one of @hourly, @daily"),
    ("@every 5m", "use one of @hourly"),
    ("R * * * *", "minute field cannot be used ('r'): H and R stand for a value that is made up"),
    ("0 H * * *", "hour field cannot be used ('h'): H and R stand"),
    ("0 H(2-4) * * *", "another one on every server; write the value that you want"),
    ("R/15 * * * *", "H and R"),
    ("0 0 15W * *", "day-of-month field cannot be used ('15w'): W (the nearest working day)"),
    ("0 0 LW * *", "W (the nearest working day) is not supported"),
    ("0 0 L-3 * *", "L is the last day of the month and takes no number"),
    ("0 0 1-L * *", "write L alone"),
    ("0 0 * * 5L", "write e.g. L5 for the last Friday"),
    ("0 0 * * L", "L takes the number of one weekday behind it"),
    ("0 0 * * Lfri", "write e.g. L5"),
    ("0 1-1 * * *", "hour field cannot be used ('1-1'): some programs read a range from a value"),
    ("0 0 1-1 * *", "write 1 for the value or * for every one"),
    ("0 0 * * sun-sun", "day-of-week field"),
    ("0 0 * * 7-0", "range from a value to itself"),
    ("0 0 1 * 1#1", "so the day-of-month field must be *; for both, make two triggers"),
    ("0 0 1 * L5", "so the day-of-month field must be *"),
    ("0 0 31 2 1#5", "so the day-of-month field must be *"),
    ("0 0 * * 1,5#3", "plain weekdays and counted ones (#, L) do not mix; make two triggers"),
    ("0 0 * * 1-3#2", "# takes one weekday before it"),
    ("0 0 * * 1#6", "1 to 5 behind it; write e.g. 5#3"),
    ("0 0 31 2 *", "names days that never come: 31 is beyond the end of the months 2; write L"),
    ("0 0 30,31 feb *", "names days that never come: 30,31"),
    ("0 0 31 4,6,9,11 *", "names days that never come"),
    ("0 0 31 2 1", "names days that never come"),
    ("0 0 * 2 5#5", "the fifth one in February, which comes less often than every 12 years"),
    ("0 22-2/3 * * *", "programs read it in different ways; write the values out: 1,22"),
    ("0 0 * * fri-mon/3", "write the values out: 1,5"),
    ("*/90 * * * *", "a step is a number from 1 to 60"),
    ("*/0 * * * *", "a step is a number from 1 to 60"),
    ("0 */x * * *", "a step is a number from 1 to 24"),
    ("60 * * * *", "'60' is no value of it; write a number from 0 to 59"),
    ("0 24 * * *", "hour field cannot be used ('24')"),
    ("0 0 0 * *", "day-of-month field cannot be used ('0')"),
    ("0 0 * 0 *", "write a number from 1 to 12 or a name like jan"),
    ("0 0 * 13 *", "month field"),
    ("0 0 * * 8", "write a number from 0 to 7 or a name like sun"),
    ("0 0 * * monday", "'monday' is no value of it"),
    ("-5 * * * *", "minute field"),
    ("1,,2 * * * *", "a value is missing beside a comma; take the comma out"),
    ("*,5 * * * *", "* in a list already means every value; write * alone"),
    ("? * * * *", "? stands alone, in day-of-month or day-of-week"),
    ("0 0 ?/2 * *", "? is not usable here; write * instead"),
    ("0 0\u00a0* * * *", "printable ASCII"),
    ("\u0660 * * * *", "printable ASCII"),
    ("0 0 * *\n*", "printable ASCII"),
    ("0," * MAX_LENGTH + "0 * * * *", "at most 256 printable ASCII characters"),
]


@pytest.mark.parametrize(("text", "spelled_out"), _SPELLED_OUT)
def test_an_expression_means_the_values_it_names(text: str, spelled_out: str) -> None:
    cron = parse_cron(text)

    assert cron.spelled_out == spelled_out
    assert cron.text == text.strip()


@pytest.mark.parametrize(("text", "words"), _REFUSED)
def test_an_expression_is_refused_with_the_reason_and_the_way_out(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_cron(text, ("input", "cron"))

    assert words in caught.value.message
    assert caught.value.path == ("input", "cron")


@pytest.mark.parametrize(
    ("text", "is_fixed"),
    [
        ("30 2 * * *", True),
        ("0-59/5 1,2 * * *", True),
        ("5/10 2 * * *", True),
        ("*/5 2 * * *", False),
        ("0 */2 * * *", False),
        ("0 1,*/2 * * *", False),
        ("@hourly", False),
        ("@daily", True),
    ],
)
def test_a_star_in_minute_or_hour_makes_a_rhythm(text: str, is_fixed: bool) -> None:  # noqa: FBT001  a column
    assert parse_cron(text).is_fixed is is_fixed


@pytest.mark.parametrize("text", ["0 0 */2 * 1", "0 0 1 * */2", "15-28 1 */30 * 0-6"])
def test_a_step_in_one_day_field_beside_the_other_is_warned_of(text: str) -> None:
    (warning,) = parse_cron(text).warnings

    assert "either is enough" in warning
    assert "write * in one of the two" in warning


@pytest.mark.parametrize("text", ["0 0 */2 * *", "0 0 1 * 1", "0 0 ? * */2", "*/5 */2 * * *"])
def test_nothing_else_is_warned_of(text: str) -> None:
    assert parse_cron(text).warnings == ()


def test_either_day_is_enough_even_when_the_weekdays_are_all() -> None:
    walls = parse_cron("0 1 */30 * 0-6").walls_after(datetime(2026, 2, 3))  # noqa: DTZ001  wall time

    assert [next(walls).day for _ in range(3)] == [3, 4, 5]


def test_what_is_refused_as_ambiguous_is_read_otherwise_by_the_walker() -> None:
    hours = croniter.expand("0 1-1 * * *")[0][1]
    weekdays = croniter.expand("0 0 * * fri-mon/3")[0][4]

    assert hours == ["*"]
    assert weekdays == [5]


@settings(deadline=None)
@given(cron_texts())
def test_spelling_out_twice_changes_nothing(text: str) -> None:
    once = parse_cron(text).spelled_out.split()

    twice = [
        read_field(kind, field.lower()).spelled_out()
        for kind, field in zip(KINDS, once, strict=True)
    ]

    assert twice == once


@settings(deadline=None)
@given(st.text(st.sampled_from("0123456789*/,-#?LWHR @monjf"), max_size=24))
def test_a_text_is_read_or_refused(text: str) -> None:
    spelled_out = "0 0 * * *"

    with suppress(InvalidInput):
        spelled_out = parse_cron(text).spelled_out

    assert croniter.is_valid(spelled_out, strict=True)
