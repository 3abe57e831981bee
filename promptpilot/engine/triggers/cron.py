"""Reads cron expressions, refuses what is ambiguous or never comes, and walks their wall times.

Rules: five fields, or one of the `@` names. Day-of-month or day-of-week is enough unless one of
them is exactly `*` or `?`. What croniter would read otherwise than it is written is refused; what
it walks is the expression spelled out as lists, on wall time without a zone. `zones` and
`schedule` make instants of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from croniter import CroniterBadDateError, CroniterError, croniter

from promptpilot.engine.triggers.cron_fields import KINDS, FieldValues, Unreadable, read_field
from promptpilot.errors import InvalidInput

MAX_LENGTH: Final = 256
#: A schedule that leaves out more years than this is taken for one that never fires.
MAX_YEARS_APART: Final = 12
NAMED: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EITHER_DAY: Final = (
    "It fires on days that match day-of-month or day-of-week, either is enough. Some other "
    "programs want both where one of them has a step of *, as here; to be sure, write * in one "
    "of the two."
)
_TEXT: Final = re.compile(r"[\t\x20-\x7e]*")
_FEBRUARY: Final = frozenset({2})
_SHORT_MONTHS: Final = frozenset({2, 4, 6, 9, 11})


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression that was checked. `text` is as it was written, without spaces around it.

    `is_fixed` says that neither minute nor hour holds a `*`, so that it names times of the day
    rather than a rhythm. `warnings` are sentences for whoever wrote it.
    """

    text: str
    spelled_out: str
    is_fixed: bool
    warnings: tuple[str, ...] = ()

    def walls_after(self, wall: datetime) -> Iterator[datetime]:
        """Yield the wall times after `wall`, a whole minute without a zone, in order.

        Ends where nothing matches for more than MAX_YEARS_APART.
        """
        walker = copy(_walker(self.spelled_out))
        walker.set_current(wall)
        while True:
            try:
                yield walker.get_next(datetime)
            except CroniterBadDateError:
                return


def parse_cron(text: str, path: Sequence[str | int] = ()) -> Cron:
    """Return the expression; raise InvalidInput, which names the field and the way out."""
    try:
        return _parse(text)
    except Unreadable as fault:
        raise InvalidInput(str(fault), path) from None


@lru_cache(maxsize=512)
def _parse(text: str) -> Cron:
    written = _fields(text)
    fields = [read_field(kind, each) for kind, each in zip(KINDS, written, strict=True)]
    _, _, days, months, weekdays = fields
    _check_counted(days, weekdays)
    _check_days_exist(days, months)
    _check_comes_often_enough(months, weekdays)
    _check_read_alike(written, fields)
    return Cron(
        text=text.strip(),
        spelled_out=" ".join(each.spelled_out() for each in fields),
        is_fixed="*" not in written[0] + written[1],
        warnings=_warnings(written, days, weekdays),
    )


def _fields(text: str) -> list[str]:
    if len(text) > MAX_LENGTH or not _TEXT.fullmatch(text):
        message = f"A cron expression has at most {MAX_LENGTH} printable ASCII characters."
        raise Unreadable(message)
    lowered = text.strip().lower()
    if lowered.startswith("@") and lowered not in NAMED:
        raise Unreadable(f"{text.strip()!r} is not known; use one of {', '.join(NAMED)}.")
    fields = NAMED.get(lowered, lowered).split()
    if len(fields) != len(KINDS):
        names = ", ".join(kind.name for kind in KINDS)
        raise Unreadable(
            f"A cron expression has exactly five fields ({names}), this one has {len(fields)}; "
            "seconds and years cannot be given, and the time zone has a field of its own."
        )
    return fields


def _check_counted(days: FieldValues, weekdays: FieldValues) -> None:
    if weekdays.nth and not days.is_any:
        raise Unreadable(
            "The day-of-week field counts weekdays of the month (#, L), so the day-of-month field "
            "must be *; for both, make two triggers."
        )


def _check_days_exist(days: FieldValues, months: FieldValues) -> None:
    if days.is_any or days.has_last_day:
        return
    longest = 29 if months.values == _FEBRUARY else 30 if months.values <= _SHORT_MONTHS else 31
    if min(days.values) > longest:
        raise Unreadable(
            f"The day-of-month field names days that never come: {days.spelled_out()} is beyond "
            f"the end of the months {months.spelled_out()}; write L for the last day of a month."
        )


def _check_comes_often_enough(months: FieldValues, weekdays: FieldValues) -> None:
    is_rare = bool(weekdays.nth) and all(n == 5 for _, n in weekdays.nth)  # noqa: PLR2004  the fifth
    if is_rare and months.values == _FEBRUARY:
        raise Unreadable(
            "The day-of-week field asks for the fifth one in February, which comes less often than "
            f"every {MAX_YEARS_APART} years; write L and the weekday for the last one."
        )


def _check_read_alike(written: list[str], fields: list[FieldValues]) -> None:
    """Raise Unreadable where croniter understands a field otherwise than it is written."""
    try:
        expanded, nth = croniter.expand(" ".join(written))
    except CroniterError:
        expanded, nth = [[] for _ in fields], {}
    for kind, text, field, others in zip(KINDS, written, fields, expanded, strict=True):
        theirs = _their_reading(others, nth if kind is KINDS[-1] else {}, field)
        if theirs != field:
            raise Unreadable(
                f"The {kind.name} field cannot be used ({text!r}): programs read it in different "
                f"ways; write the values out: {field.spelled_out()}."
            )


def _their_reading(values: list[Any], nth: dict[int, set[Any]], ours: FieldValues) -> FieldValues:
    numbered = {(day, 0 if n == "l" else n) for day, all_n in nth.items() for n in all_n}
    plain = ours.values if "*" in values else {each for each in values if each != "l"}
    return FieldValues(
        frozenset() if numbered else frozenset(plain),
        frozenset(numbered),
        has_last_day="l" in values,
        is_any=ours.is_any,
    )


def _warnings(written: list[str], days: FieldValues, weekdays: FieldValues) -> tuple[str, ...]:
    if days.is_any or weekdays.is_any or "*/" not in written[2] + written[4]:
        return ()
    return (_EITHER_DAY,)


@lru_cache(maxsize=512)
def _walker(spelled_out: str) -> croniter:
    """Return a walker to copy, since reading an expression takes longer than a step of the walk."""
    return croniter(spelled_out, datetime(1970, 1, 1), max_years_between_matches=MAX_YEARS_APART)  # noqa: DTZ001  wall time
