"""Proves what schedules answer: the next firing, those between two instants, none, and refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from promptpilot.engine.triggers.kinds import GapPolicy
from promptpilot.engine.triggers.schedule import check_fires
from promptpilot.errors import InvalidInput
from tests.support.crons import schedule

_NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
_HOUR = timedelta(hours=1)
#: Always on the day on which New York's clocks leave out that hour.
_ALWAYS_LEFT_OUT = "30 2 * 3 0#2"


def test_the_next_firing_is_after_the_instant() -> None:
    hourly = schedule("@hourly")

    assert hourly.next_after(_NOON - timedelta(microseconds=1)) == _NOON
    assert hourly.next_after(_NOON) == _NOON + _HOUR


def test_between_leaves_out_its_beginning_and_has_its_end() -> None:
    fires = schedule("@hourly").between(_NOON, _NOON + 2 * _HOUR, limit=10)

    assert fires == [_NOON + _HOUR, _NOON + 2 * _HOUR]


def test_between_stops_at_its_limit() -> None:
    fires = schedule("@hourly").between(_NOON, _NOON + 20 * _HOUR, limit=3)

    assert fires == [_NOON + at * _HOUR for at in (1, 2, 3)]


def test_between_nothing_is_nothing() -> None:
    assert schedule("* * * * *").between(_NOON, _NOON, limit=10) == []
    assert schedule("* * * * *").between(_NOON, _NOON - _HOUR, limit=10) == []


def test_a_schedule_may_fire_when_it_starts_and_when_it_ends() -> None:
    bounded = replace(schedule("@hourly"), starts_at=_NOON, ends_at=_NOON + 2 * _HOUR)

    fires = bounded.upcoming(_NOON - 10 * _HOUR, 10)

    assert fires == [_NOON, _NOON + _HOUR, _NOON + 2 * _HOUR]


def test_nothing_fires_after_the_end() -> None:
    ended = replace(schedule("@hourly"), ends_at=_NOON)

    assert ended.next_after(_NOON) is None
    assert ended.upcoming(_NOON - _HOUR, 5) == [_NOON]


def test_instants_may_come_in_any_zone_and_go_out_in_utc() -> None:
    in_another_zone = _NOON.astimezone(schedule("* * * * *", "Asia/Tokyo").zone)

    following = schedule("0 9 * * *", "Asia/Tokyo").next_after(in_another_zone)

    assert following == datetime(2026, 6, 2, tzinfo=UTC)
    assert following.tzinfo is UTC


def test_a_leap_day_is_waited_for_over_a_century() -> None:
    fires = schedule("0 0 29 2 *").upcoming(datetime(2095, 1, 1, tzinfo=UTC), 3)

    assert [fire.year for fire in fires] == [2096, 2104, 2108]


def test_gaps_that_always_leave_it_out_end_the_search() -> None:
    skipping = replace(schedule(_ALWAYS_LEFT_OUT, "America/New_York"), gap_policy=GapPolicy.SKIP)

    assert skipping.next_after(_NOON) is None
    assert schedule("*/5 2 * 3 0#2", "America/New_York").next_after(_NOON) is None


@pytest.mark.parametrize("text", ["* * * * *", "0 0 29 2 *", "0 0 29 2 1", "0 0 * * 5#5"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_the_first_and_the_last_instants_have_answers(text: str, zone: str) -> None:
    ours = schedule(text, zone)

    first = ours.next_after(datetime.min.replace(tzinfo=UTC))
    last = ours.next_after(datetime.max.replace(tzinfo=UTC))

    assert first is not None
    assert first.year < 1973
    assert last is None


def test_the_search_ends_in_the_last_years() -> None:
    fires = schedule("0 0 29 2 *").upcoming(datetime(9940, 1, 1, tzinfo=UTC), 100)

    assert [fire.year for fire in fires] == [9940, 9944, 9948]


def test_a_schedule_that_fires_is_accepted() -> None:
    check_fires(schedule("0 0 29 2 *"), _NOON)


def test_a_schedule_that_ends_before_it_fires_is_refused() -> None:
    ended = replace(schedule("0 0 1 1 *"), ends_at=_NOON + _HOUR)

    with pytest.raises(InvalidInput, match=r"does not fire between .* and endsAt") as caught:
        check_fires(ended, _NOON, ("input", "cron"))

    assert caught.value.path == ("input", "cron")


def test_a_schedule_that_is_always_left_out_is_refused() -> None:
    skipping = replace(schedule(_ALWAYS_LEFT_OUT, "America/New_York"), gap_policy=GapPolicy.SKIP)

    with pytest.raises(InvalidInput, match=r"within 12 years in America/New_York.*SHIFT"):
        check_fires(skipping, _NOON)
