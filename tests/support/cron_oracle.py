"""Independent answers to "when does this schedule fire?": a walk over every minute that passes.

The walk reads expressions in its own way, knows no croniter, and knows of daylight saving only that
the clocks jump: minutes that were not shown were left out, minutes shown before are repeated. The
other answer is that of the library cronsim, for what it means alike.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from promptpilot.engine.triggers.kinds import FoldPolicy, GapPolicy

_MINUTE = timedelta(minutes=1)
_LEAD = timedelta(days=1)
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NAMES = {
    **{name.lower(): at for at, name in enumerate(calendar.month_abbr) if name},
    **dict(zip(("sun", "mon", "tue", "wed", "thu", "fri", "sat"), range(7), strict=True)),
}


def walked_fires(
    text: str,
    zone: ZoneInfo,
    after: datetime,
    until: datetime,
    policies: tuple[GapPolicy, FoldPolicy] = (GapPolicy.SHIFT, FoldPolicy.FIRST),
) -> list[datetime]:
    """Return the firings after `after` up to and with `until`, as UTC instants."""
    gap_policy, fold_policy = policies
    is_fixed = not any("*" in field for field in text.split()[:2])
    shown_before: set[datetime] = set()
    fires: list[datetime] = []
    for instant, wall, left_out in _minutes(zone, after - _LEAD, until):
        is_shifted = is_fixed and gap_policy is GapPolicy.SHIFT and any(map(_test(text), left_out))
        is_repeated = is_fixed and fold_policy is FoldPolicy.FIRST and wall in shown_before
        if (is_shifted or (_test(text)(wall) and not is_repeated)) and instant > after:
            fires.append(instant)
        shown_before.add(wall)
    return fires


def found_by_cronsim(text: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """Return what cronsim, which writes L5 as 5L, finds after `after` up to and with `until`."""
    found = CronSim(re.sub(r"L(\d)", r"\1L", text), after.astimezone(zone))
    instants = takewhile(lambda instant: instant <= until, (each.astimezone(UTC) for each in found))
    # Begun in the second pass of a fold, it names times of the first one as well.
    return [each for each in dict.fromkeys(instants) if each > after]


def matches_date(text: str, day: date) -> bool:
    """Whether an expression allows a day."""
    days, months, weekdays = text.lower().split()[2:]
    if day.month not in _values(months, 3):
        return False
    by_number = day in _days_of_month(days, day)
    by_weekday = day in _days_by_weekday(weekdays, day)
    if days in {"*", "?"} or weekdays in {"*", "?"}:
        return by_number and by_weekday
    return by_number or by_weekday


def _minutes(
    zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime, list[datetime]]]:
    """Yield each instant, what the clocks show, and the minutes they left out just before."""
    instant = since.astimezone(UTC).replace(second=0, microsecond=0)
    expected = instant.astimezone(zone).replace(tzinfo=None)
    while instant <= until:
        wall = instant.astimezone(zone).replace(tzinfo=None)
        count = max((wall - expected) // _MINUTE, 0)
        yield instant, wall, [expected + at * _MINUTE for at in range(count)]
        instant, expected = instant + _MINUTE, wall + _MINUTE


class _Test:
    """Whether an expression allows a wall time."""

    def __init__(self, text: str) -> None:
        self._text = text
        minutes, hours = text.lower().split()[:2]
        self._minutes, self._hours = _values(minutes, 0), _values(hours, 1)
        self._dates: dict[date, bool] = {}

    def __call__(self, wall: datetime) -> bool:
        if wall.minute not in self._minutes or wall.hour not in self._hours:
            return False
        day = wall.date()
        if day not in self._dates:
            self._dates[day] = matches_date(self._text, day)
        return self._dates[day]


_test = lru_cache(maxsize=64)(_Test)


@lru_cache(maxsize=4096)
def _values(field: str, at: int) -> frozenset[int]:
    low, high = _BOUNDS[at]
    every = list(range(low, high + 1))
    found: set[int] = set()
    for item in field.split(","):
        base, _, step = item.partition("/")
        found |= set(_stretch(base, every, is_open=bool(step))[:: int(step or 1)])
    return frozenset(found)


def _stretch(base: str, every: list[int], *, is_open: bool) -> list[int]:
    """Return the values of `*`, `a`, `a-b`, and of `a` up to the end when it is open."""
    if base in {"*", "?"}:
        return every
    ends = [_NAMES[end] if end in _NAMES else int(end) for end in base.split("-")]
    start, *stop = (end if end in every else every[0] for end in ends)
    if not stop:
        return every[every.index(start) :] if is_open else [start]
    walked = [start]
    while walked[-1] != stop[0] or len(walked) == 1:
        walked.append(walked[-1] + 1 if walked[-1] < every[-1] else every[0])
    return walked


def _days_of_month(field: str, day: date) -> set[date]:
    last = calendar.monthrange(day.year, day.month)[1]
    numbers = {last} if "l" in field.split(",") else set()
    plain = ",".join(item for item in field.split(",") if item != "l")
    numbers |= set(_values(plain, 2)) if plain else set()
    return {day.replace(day=number) for number in numbers if number <= last}


def _days_by_weekday(field: str, day: date) -> set[date]:
    last = calendar.monthrange(day.year, day.month)[1]
    month = [day.replace(day=number) for number in range(1, last + 1)]
    found: set[date] = set()
    for item in field.split(","):
        if item.startswith("l"):
            found.add([each for each in month if each.isoweekday() % 7 == int(item[1:]) % 7][-1])
        elif "#" in item:
            (weekday,), nth = _values(item.partition("#")[0], 4), int(item.partition("#")[2])
            found |= set(
                [each for each in month if each.isoweekday() % 7 == weekday][nth - 1 : nth]
            )
        else:
            found |= {each for each in month if each.isoweekday() % 7 in _values(item, 4)}
    return found
