"""Computes when a schedule fires: a cron expression in a time zone, daylight saving honoured.

Rules:
  WILD (a `*` in minute or hour): it fires at every instant at which the clocks of the zone match.
  FIXED (none): a time that the clocks leave out fires once, at the first instant after the gap
  (SHIFT), or not at all (SKIP); a time that they show twice fires at the first (FIRST) or at BOTH.
  `starts_at` and `ends_at` are inclusive. No instant is named twice.
Units: instants are aware and UTC; they are computed for the years 1970 to 9950.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo

from promptpilot.engine.triggers.cron import MAX_YEARS_APART, Cron
from promptpilot.engine.triggers.kinds import FoldPolicy, GapPolicy
from promptpilot.engine.triggers.zones import first_wall_to_come, gap_around, instants_of
from promptpilot.errors import InvalidInput

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: From this year on nothing fires.
END_YEAR: Final = 9950
_LAST_WALL: Final = datetime(END_YEAR, 1, 1)  # noqa: DTZ001  wall time
_LONGEST_WAIT: Final = timedelta(days=366 * MAX_YEARS_APART)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something fires. Every answer is computed from the fields alone."""

    cron: Cron
    zone: ZoneInfo
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    gap_policy: GapPolicy = GapPolicy.SHIFT
    fold_policy: FoldPolicy = FoldPolicy.FIRST

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first firing after `instant`; None if none comes within 12 years."""
        return next(self._fires(instant), None)

    def between(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """Return the first firings after `after` up to and with `until`, at most `limit`."""
        due = takewhile(lambda instant: instant <= until, self._fires(after))
        return list(islice(due, limit))

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """Return the first `count` firings after `after`; fewer if there are no more."""
        return list(islice(self._fires(after), count))

    def _fires(self, after: datetime) -> Iterator[datetime]:
        last = max(after, _FIRST)
        if self.starts_at is not None:
            last = max(last, self.starts_at - datetime.resolution)
        if self.ends_at is not None and self.ends_at <= last:
            return
        for instant in self._instants(last.astimezone(UTC)):
            if self.ends_at is not None and instant > self.ends_at:
                return
            if instant > last:
                yield instant
                last = instant

    def _instants(self, after: datetime) -> Iterator[datetime]:
        """Yield the firings around and after `after` in order, some of them more than once."""
        again: deque[datetime] = deque()
        for passes in self._passes(after):
            while again and again[0] < passes[0]:
                yield again.popleft()
            yield passes[0]
            again.extend(passes[1:])
        yield from again

    def _passes(self, after: datetime) -> Iterator[tuple[datetime, ...]]:
        """Yield the firings of each wall time; the wall times, and so the first ones, ascend."""
        if after.year >= _LAST_WALL.year:
            return
        start = first_wall_to_come(after, self.zone)
        walls = self.cron.walls_after(start)
        until = start + _LONGEST_WAIT
        while (wall := next(walls, None)) is not None and wall < min(until, _LAST_WALL):
            passes = self._passes_of(wall)
            if passes:
                yield passes
                until = wall + _LONGEST_WAIT
            if not instants_of(wall, self.zone):
                walls = self.cron.walls_after(self._last_minute_left_out(wall))

    def _passes_of(self, wall: datetime) -> tuple[datetime, ...]:
        instants = instants_of(wall, self.zone)
        if not self.cron.is_fixed:
            return instants
        if not instants and self.gap_policy is GapPolicy.SHIFT:
            return (gap_around(wall, self.zone).ends_at,)
        return instants[:1] if self.fold_policy is FoldPolicy.FIRST else instants

    def _last_minute_left_out(self, wall: datetime) -> datetime:
        last = gap_around(wall, self.zone).wall_end - datetime.resolution
        return last.replace(second=0, microsecond=0)


def check_fires(schedule: Schedule, now: datetime, path: Sequence[str | int] = ()) -> None:
    """Raise InvalidInput if a schedule would not fire once from `now` on."""
    if schedule.next_after(now) is not None:
        return
    if schedule.ends_at is not None:
        message = f"{schedule.cron.text!r} does not fire between startsAt, or now, and endsAt."
        raise InvalidInput(f"{message} Choose a later endsAt or another expression.", path)
    raise InvalidInput(
        f"{schedule.cron.text!r} does not fire within {MAX_YEARS_APART} years in "
        f"{schedule.zone.key}: all its times are left out by daylight saving. "
        "Choose another time of the day, or gapPolicy SHIFT.",
        path,
    )
