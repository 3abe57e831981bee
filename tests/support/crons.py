"""Makes cron expressions, zones and instants for tests of laws, many of them near clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from promptpilot.engine.triggers.cron import parse_cron
from promptpilot.engine.triggers.schedule import Schedule
from promptpilot.engine.triggers.zones import zone_of

#: Days on which the clocks of a zone change; UTC, which never does, is the control.
CHANGES = (
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/London", "2026-03-29"),
    ("Europe/London", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Pacific/Chatham", "2010-04-04"),
    ("Pacific/Chatham", "2026-09-27"),
    ("America/Santiago", "2026-04-05"),
    ("America/Santiago", "2026-09-06"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Asia/Tehran", "2022-03-22"),
    ("Asia/Tehran", "2022-09-22"),
    ("Pacific/Apia", "2011-12-30"),
    ("Antarctica/Troll", "2026-03-29"),
    ("UTC", "2026-03-29"),
)


def schedule(text: str, zone: str = "UTC") -> Schedule:
    """Make a schedule with the usual policies and no bounds."""
    return Schedule(parse_cron(text), zone_of(zone))


def _items(low: int, high: int) -> st.SearchStrategy[str]:
    """Make values, ranges that may go round, and ranges with steps that do not."""
    number = st.integers(low, high)
    pairs = st.tuples(number, number).filter(_is_readable)
    steps = st.integers(1, high - low)
    return st.one_of(
        number.map(str),
        pairs.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(pairs, steps).map(lambda each: f"{min(each[0])}-{max(each[0])}/{each[1]}"),
        st.tuples(number, steps).map(lambda each: f"{each[0]}/{each[1]}"),
        steps.map(lambda step: f"*/{step}"),
    )


def _is_readable(ends: tuple[int, int]) -> bool:
    """Whether a range does not lead from a value to itself; 7 and 0 are both Sunday."""
    return ends[0] != ends[1] and ends != (7, 0)


def _fields(low: int, high: int, every: int = 2) -> st.SearchStrategy[str]:
    lists = st.lists(_items(low, high), min_size=1, max_size=3).map(",".join)
    return st.one_of(*[st.just("*")] * every, lists)


_HOURS = st.one_of(_fields(0, 23, 1), _fields(0, 4, 1), st.sampled_from(["0", "1", "2", "3", "23"]))
_MONTHS = st.one_of(st.just("*"), st.just("*"), _fields(1, 12))
_DAYS = st.one_of(_fields(1, 28), st.sampled_from(["L", "28,31", "29-2", "1,L", "?"]))
_WEEKDAYS = st.one_of(_fields(0, 7), st.sampled_from(["mon", "fri-mon", "7", "0-6", "?"]))
_COUNTED = st.sampled_from(["5#3", "L5", "mon#1", "L0,2#5", "7#2", "L7"])
_DATES = st.one_of(
    st.just(("*", "*", "*")),
    st.tuples(_DAYS, _MONTHS, _WEEKDAYS),
    st.tuples(st.just("*"), _MONTHS.filter(lambda months: months != "2"), _COUNTED),
)


@st.composite
def date_texts(draw: st.DrawFn) -> str:
    """Make expressions for midnight on all kinds of days."""
    return " ".join(["0 0", *draw(_DATES)])


@st.composite
def cron_texts(draw: st.DrawFn) -> str:
    """Make expressions of all kinds, with many hours at which clocks change."""
    return " ".join([draw(_fields(0, 59)), draw(_HOURS), *draw(_DATES)])


@st.composite
def plain_texts(draw: st.DrawFn) -> str:
    """Make expressions that many programs read alike: no `*` in lists, no ranges that go round."""
    number = st.integers(0, 59)
    minutes = draw(st.one_of(st.just("*"), st.lists(number.map(str), min_size=1).map(",".join)))
    hours = draw(st.sampled_from(["*", "*/2", "*/5", "0", "1", "2", "3", "0-3", "1-23/2", "2,23"]))
    days = st.sampled_from(["*", "*", "1-31/2", "L", "8,29,31"]).map(lambda each: f"{each} * *")
    weekdays = st.sampled_from(["0", "sun", "mon-fri", "5#3", "L5", "1,3,7"])
    return f"{minutes} {hours} {draw(st.one_of(days, weekdays.map(lambda each: f'* * {each}')))}"


@st.composite
def places(draw: st.DrawFn) -> tuple[str, datetime]:
    """Make a zone and an instant within two days of a change of its clocks."""
    zone, day = draw(st.sampled_from(CHANGES))
    near = timedelta(seconds=draw(st.integers(-2 * 86_400, 2 * 86_400)))
    return zone, datetime.fromisoformat(day).replace(tzinfo=UTC) + near
