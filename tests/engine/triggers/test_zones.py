"""Proves which time zones there are, and which instants a wall time is."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptpilot.engine.triggers.zones import (
    first_wall_to_come,
    gap_around,
    instants_of,
    wall_of,
    zone_names,
    zone_of,
)
from promptpilot.errors import InvalidInput
from tests.support.crons import places

_NEW_YORK = zone_of("America/New_York")
_LORD_HOWE = zone_of("Australia/Lord_Howe")


@pytest.mark.parametrize("name", ["UTC", "Europe/London", "Etc/GMT+5", "EST5EDT", "Asia/Calcutta"])
def test_names_of_the_list_are_zones(name: str) -> None:
    assert zone_of(name).key == name


def test_every_name_of_the_list_can_be_loaded() -> None:
    assert [name for name in zone_names() if zone_of(name).key != name] == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("america/new_york", "America/New_York"),
        ("New York", "America/New_York"),
        ("Europe/Berln", "Europe/Berlin"),
        ("posix/Europe/London", "Europe/London"),
        ("right/Europe/London", "Europe/London"),
        ("../UTC", "UTC"),
        (" UTC", "UTC"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_ones(name: str, near: str) -> None:
    with pytest.raises(InvalidInput, match=f"is not the name of an IANA .* did you mean.* {near}"):
        zone_of(name)


@pytest.mark.parametrize(
    "name",
    ["localtime", "posixrules", "Factory", "/etc/localtime", "+02:00", "", "\0", "x" * 9999, "."],
)
def test_what_is_no_zone_for_everybody_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not the name of an IANA time zone") as caught:
        zone_of(name, ("input", "timeZone"))

    assert caught.value.path == ("input", "timeZone")
    assert len(caught.value.message) < 250


def test_the_machine_has_no_say_in_the_rules() -> None:
    assert zoneinfo.TZPATH == ()


def test_a_wall_time_is_one_instant_or_two_or_none() -> None:
    once = instants_of(datetime(2026, 7, 1, 12), _NEW_YORK)  # noqa: DTZ001  wall time
    twice = instants_of(datetime(2026, 11, 1, 1, 30), _NEW_YORK)  # noqa: DTZ001  wall time
    never = instants_of(datetime(2026, 3, 8, 2, 30), _NEW_YORK)  # noqa: DTZ001  wall time

    assert once == (datetime(2026, 7, 1, 16, tzinfo=UTC),)
    assert [each.hour for each in twice] == [5, 6]
    assert never == ()


def test_a_gap_ends_where_the_clocks_have_jumped() -> None:
    gap = gap_around(datetime(2026, 10, 4, 2, 10), _LORD_HOWE)  # noqa: DTZ001  wall time

    assert gap.ends_at == datetime(2026, 10, 3, 15, 30, tzinfo=UTC)
    assert gap.wall_end == datetime(2026, 10, 4, 2, 30)  # noqa: DTZ001  wall time


def test_a_gap_may_be_a_whole_day() -> None:
    gap = gap_around(datetime(2011, 12, 30, 7), zone_of("Pacific/Apia"))  # noqa: DTZ001  wall time

    assert gap.ends_at == datetime(2011, 12, 30, 10, tzinfo=UTC)
    assert gap.wall_end == datetime(2011, 12, 31)  # noqa: DTZ001  wall time


@settings(deadline=None)
@given(places())
def test_an_instant_is_among_those_of_what_the_clocks_show(place: tuple[str, datetime]) -> None:
    zone, instant = zone_of(place[0]), place[1]

    assert instant in instants_of(wall_of(instant, zone), zone)


@settings(deadline=None)
@given(places(), st.integers(1, 30 * 3600))
def test_no_wall_time_to_come_is_left_behind(place: tuple[str, datetime], seconds: int) -> None:
    zone, instant = zone_of(place[0]), place[1]

    first = first_wall_to_come(instant, zone)

    assert first < wall_of(instant + timedelta(seconds=seconds), zone).replace(microsecond=1)
    assert wall_of(instant, zone) - first < timedelta(hours=2, minutes=1)
