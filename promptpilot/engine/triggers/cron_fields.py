"""Reads one field of a cron expression as it is written, and refuses what others read otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Stands for "the last one of the month" where a number of 1 to 5 says which one.
LAST: Final = 0
_RANDOM: Final = re.compile(r"[hr](\(.*\))?(/.*)?")
_NUMBER: Final = re.compile(r"\d{1,2}", re.ASCII)
_LAST_WEEKDAY: Final = re.compile(r"l([0-7])")
_NTH_WEEKDAY: Final = re.compile(r"([^#]*)#([1-5])")


class Unreadable(Exception):
    """A field cannot be used; the message says which, why, and how to mend it.

    Never leaves this package.
    """


@dataclass(frozen=True, slots=True)
class FieldKind:
    """One of the five fields. `words` are the names of its values, from the lowest on.

    Sunday is 0; 7 is another way to write it.
    """

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many values there are."""
        return self.high - self.low + 1


MINUTE: Final = FieldKind("minute", 0, 59)
HOUR: Final = FieldKind("hour", 0, 23)
DAY_OF_MONTH: Final = FieldKind("day-of-month", 1, 31)
_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
MONTH: Final = FieldKind("month", 1, 12, _MONTHS)
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
DAY_OF_WEEK: Final = FieldKind("day-of-week", 0, 6, _WEEKDAYS)
KINDS: Final = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


@dataclass(frozen=True, slots=True)
class FieldValues:
    """What a field allows. `is_any` is true of exactly `*` and `?`, which restrict nothing.

    `nth` holds pairs of weekday and 1 to 5 or LAST; where there are any, there are no `values`.
    """

    values: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()
    has_last_day: bool = False
    is_any: bool = False

    def spelled_out(self) -> str:
        """Return the field as a plain list, which every program reads alike."""
        if self.is_any:
            return "*"
        items = [str(value) for value in sorted(self.values)]
        items += [f"L{day}" if n == LAST else f"{day}#{n}" for day, n in sorted(self.nth)]
        return ",".join([*items, "L"] if self.has_last_day else items)


def read_field(kind: FieldKind, text: str) -> FieldValues:
    """Return what a field in small letters allows; raise Unreadable."""
    if text == "*" or (text == "?" and kind in {DAY_OF_MONTH, DAY_OF_WEEK}):
        return FieldValues(frozenset(range(kind.low, kind.high + 1)), is_any=True)
    found = _merged(_item(kind, item) for item in text.split(","))
    if found.nth and found.values:
        way_out = "make two triggers, one for each"
        raise _refused(kind, text, "plain weekdays and counted ones (#, L) do not mix", way_out)
    return found


def _merged(items: Iterable[FieldValues]) -> FieldValues:
    found = list(items)
    return FieldValues(
        frozenset().union(*(each.values for each in found)),
        frozenset().union(*(each.nth for each in found)),
        has_last_day=any(each.has_last_day for each in found),
    )


def _item(kind: FieldKind, item: str) -> FieldValues:
    """Read what stands between two commas."""
    _refuse_foreign(kind, item)
    if kind == DAY_OF_MONTH and "l" in item:
        return _last_day(item)
    if kind == DAY_OF_WEEK and "#" in item:
        return _nth_weekday(item)
    if kind == DAY_OF_WEEK and (item.startswith("l") or item.endswith("l")):
        return _last_weekday(item)
    return FieldValues(frozenset(_span(kind, item)))


def _refuse_foreign(kind: FieldKind, item: str) -> None:
    if not item:
        raise _refused(kind, item, "a value is missing beside a comma", "take the comma out")
    if item == "*":
        raise _refused(kind, item, "* in a list already means every value", "write * alone")
    if "?" in item:
        way_out = "write * instead; ? stands alone, in day-of-month or day-of-week"
        raise _refused(kind, item, "? is not usable here", way_out)
    if _RANDOM.fullmatch(item):
        why = "H and R stand for a value that is made up, another one on every server"
        raise _refused(kind, item, why, "write the value that you want")
    if kind == DAY_OF_MONTH and "w" in item:
        why = "W (the nearest working day) is not supported"
        raise _refused(kind, item, why, "write the days, e.g. 1-5 in day-of-week")


def _last_day(item: str) -> FieldValues:
    if item != "l":
        why = "L is the last day of the month and takes no number and no range"
        raise _refused(DAY_OF_MONTH, item, why, "write L alone, or the days as numbers")
    return FieldValues(has_last_day=True)


def _nth_weekday(item: str) -> FieldValues:
    match = _NTH_WEEKDAY.fullmatch(item)
    if match is None or "-" in item or "/" in item:
        why = "# takes one weekday before it and 1 to 5 behind it"
        raise _refused(DAY_OF_WEEK, item, why, "write e.g. 5#3 for the third Friday")
    day = _value(DAY_OF_WEEK, item, match[1]) % 7
    return FieldValues(nth=frozenset({(day, int(match[2]))}))


def _last_weekday(item: str) -> FieldValues:
    match = _LAST_WEEKDAY.fullmatch(item)
    if match is None:
        why = "L takes the number of one weekday behind it"
        raise _refused(DAY_OF_WEEK, item, why, "write e.g. L5 for the last Friday of the month")
    return FieldValues(nth=frozenset({(int(match[1]) % 7, LAST)}))


def _span(kind: FieldKind, item: str) -> Iterable[int]:
    """Return the values of `*/n`, `a`, `a/n`, `a-b` or `a-b/n`."""
    base, slash, step_text = item.partition("/")
    step = _step(kind, item, step_text) if slash else 1
    if base == "*":
        return range(kind.low, kind.high + 1, step)
    first, dash, last = base.partition("-")
    if dash:
        return _range(kind, item, (first, last), step)
    value = _value(kind, item, first) % _cycle(kind)
    return range(value, kind.high + 1, step) if slash else (value,)


def _range(kind: FieldKind, item: str, ends: tuple[str, str], step: int) -> Iterable[int]:
    """Return the values of a range; one that ends before it begins goes round (22-2, fri-mon)."""
    first, last = (_value(kind, item, end) for end in ends)
    if first == last or first % _cycle(kind) == last:
        why = "some programs read a range from a value to itself as every value"
        raise _refused(kind, item, why, f"write {ends[0]} for the value or * for every one")
    first %= _cycle(kind)
    stop = last if first <= last else last + kind.size
    return ((at - kind.low) % kind.size + kind.low for at in range(first, stop + 1, step))


def _step(kind: FieldKind, item: str, text: str) -> int:
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= kind.size:
        why = f"a step is a number from 1 to {kind.size}, since every {kind.name} cycle starts anew"
        raise _refused(kind, item, why, "write such a step, or list the values")
    return int(text)


def _value(kind: FieldKind, item: str, text: str) -> int:
    """Return a number or the number of a name; 7 is kept for the end of ranges of weekdays."""
    if text in kind.words:
        return kind.words.index(text) + kind.low
    top = max(kind.high, _cycle(kind)) if kind == DAY_OF_WEEK else kind.high
    if not _NUMBER.fullmatch(text) or not kind.low <= int(text) <= top:
        names = f" or a name like {kind.words[0]}" if kind.words else ""
        why = f"{text!r} is no value of it"
        raise _refused(kind, item, why, f"write a number from {kind.low} to {top}{names}")
    return int(text)


def _cycle(kind: FieldKind) -> int:
    """Return the number that means the lowest value again; one that none reaches if none does."""
    return kind.size if kind == DAY_OF_WEEK else kind.high + 1


def _refused(kind: FieldKind, item: str, why: str, way_out: str) -> Unreadable:
    return Unreadable(f"The {kind.name} field cannot be used ({item!r}): {why}; {way_out}.")
