"""Makes time zones, and tells which instants a wall time is.

Rules: the rules of zones come from the tzdata package alone, never from the machine, so that all
servers of an installation agree.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from promptpilot.errors import InvalidInput

_SECOND: Final = timedelta(seconds=1)
_MAX_NAME: Final = 64
_MAX_SUGGESTIONS: Final = 3
#: In the list, but the zone of nowhere.
_NOWHERE: Final = frozenset({"Factory", "localtime", "posixrules"})

zoneinfo.reset_tzpath([])
ZoneInfo.clear_cache()


@dataclass(frozen=True, slots=True)
class Gap:
    """Wall times that a zone leaves out. `ends_at` is the first instant after it.

    `wall_end` is what the clocks show then.
    """

    ends_at: datetime
    wall_end: datetime


def zone_of(name: str, path: Sequence[str | int] = ()) -> ZoneInfo:
    """Return the zone of an IANA name; raise InvalidInput, which suggests the nearest names."""
    if name in zone_names():
        return ZoneInfo(name)
    shown = name if len(name) <= _MAX_NAME else name[:_MAX_NAME] + "…"
    near = _nearest(name[:_MAX_NAME])
    way_out = f"did you mean {' or '.join(near)}?" if near else "write one like Europe/London."
    raise InvalidInput(f"{shown!r} is not the name of an IANA time zone; {way_out}", path)


@cache
def zone_names() -> frozenset[str]:
    """Return every name that a zone may have."""
    listed = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return frozenset(listed) - _NOWHERE


def _nearest(name: str) -> list[str]:
    """Return the names that are most like this one, or whose city is."""
    known = {each.rpartition("/")[2].lower(): each for each in sorted(zone_names())}
    known |= {each.lower(): each for each in zone_names()}
    near = get_close_matches(name.lower().replace(" ", "_"), known, _MAX_SUGGESTIONS)
    return list(dict.fromkeys(known[each] for each in near))


def instants_of(wall: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return when the clocks show `wall`: never in a gap, twice in a fold, else once."""
    first, second = _both_passes(wall, zone)
    if first == second:
        return (first,)
    return (first, second) if first < second else ()


def gap_around(wall: datetime, zone: ZoneInfo) -> Gap:
    """Return the gap that a wall time, one that has no instant, lies in."""
    until, since = _both_passes(wall, zone)
    offset = until.astimezone(zone).utcoffset()
    while until - since > _SECOND:
        middle = since + (until - since) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            until = middle
        else:
            since = middle
    return Gap(until, wall_of(until, zone))


def wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clocks of a zone show at an instant, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def first_wall_to_come(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return a wall time before all those that the clocks show after `instant`, in whole minutes.

    That is the minute of `instant`, or an earlier one where the clocks are yet to be put back.
    """
    here = instant.astimezone(zone)
    first, second = _both_passes(here.replace(tzinfo=None), zone)
    back = second - first if second > first and not here.fold else timedelta(0)
    return (here.replace(tzinfo=None, fold=0) - back).replace(second=0, microsecond=0)


def _both_passes(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the instants by the offset before and after a transition near `wall`."""
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return first, wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
