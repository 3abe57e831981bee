"""Proves laws of schedules on generated expressions, most of them near changes of clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from promptpilot.engine.triggers.kinds import FoldPolicy, GapPolicy
from promptpilot.engine.triggers.schedule import Schedule
from promptpilot.engine.triggers.zones import instants_of, wall_of, zone_of
from tests.support.cron_oracle import found_by_cronsim, matches_date, walked_fires
from tests.support.crons import cron_texts, date_texts, places, plain_texts, schedule

_TWO_DAYS = timedelta(days=2)
_GAPS = st.sampled_from(GapPolicy)
_FOLDS = st.sampled_from(FoldPolicy)
#: Clocks there change within an hour, where the other library passes over minutes, or leave out
#: midnight, at which it begins every day.
_NOT_ALIKE = {
    *("Australia/Lord_Howe", "Pacific/Chatham"),
    *("America/Santiago", "Asia/Tehran", "Pacific/Apia"),
}
_Place = tuple[str, datetime]


@settings(deadline=None)
@given(cron_texts(), places(), _GAPS, _FOLDS)
def test_a_walk_over_every_minute_finds_the_same(
    text: str, place: _Place, gap: GapPolicy, fold: FoldPolicy
) -> None:
    zone, after = place
    until = after + _TWO_DAYS
    ours = replace(schedule(text, zone), gap_policy=gap, fold_policy=fold)

    fires = ours.between(after, until, limit=10_000)

    assert fires == walked_fires(text, zone_of(zone), after, until, (gap, fold))


@settings(deadline=None)
@given(date_texts(), st.dates(date(1970, 1, 2), date(2199, 1, 1)))
def test_days_are_those_that_a_look_at_every_day_finds(text: str, first: date) -> None:
    since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    days = [since + timedelta(days=at) for at in range(1, 200)]

    fires = schedule(text).between(since, days[-1], limit=200)

    assert fires == [day for day in days if matches_date(text, day.date())]


@settings(deadline=None)
@given(plain_texts(), places())
def test_another_library_finds_the_same(text: str, place: _Place) -> None:
    zone, after = place
    assume(zone not in _NOT_ALIKE)
    until = after + _TWO_DAYS

    fires = schedule(text, zone).between(after, until, limit=10_000)

    assert fires == found_by_cronsim(text, zone_of(zone), after, until)


@settings(deadline=None)
@given(cron_texts(), places(), _GAPS, _FOLDS)
def test_each_firing_comes_after_the_one_before(
    text: str, place: _Place, gap: GapPolicy, fold: FoldPolicy
) -> None:
    zone, after = place
    ours = replace(schedule(text, zone), gap_policy=gap, fold_policy=fold)

    fires = [after, *ours.upcoming(after, 40)]

    assert all(one < other for one, other in pairwise(fires))


@settings(deadline=None)
@given(cron_texts(), places(), _FOLDS)
def test_asking_again_and_again_finds_what_asking_once_does(
    text: str, place: _Place, fold: FoldPolicy
) -> None:
    zone, at = place
    ours = replace(schedule(text, zone), fold_policy=fold)

    one_by_one: list[datetime] = []
    while len(one_by_one) < 20 and (following := ours.next_after(at)) is not None:
        one_by_one.append(following)
        at = following

    assert ours.upcoming(place[1], 20) == one_by_one


@settings(deadline=None)
@given(cron_texts(), places(), st.integers(0, 172_800))
def test_nothing_lies_between_an_instant_and_the_next_firing(
    text: str, place: _Place, seconds: int
) -> None:
    zone, after = place
    ours = schedule(text, zone)

    following = ours.next_after(after)

    assume(following is not None and following > after + timedelta(seconds=seconds))
    assert ours.next_after(after + timedelta(seconds=seconds)) == following


@settings(deadline=None, max_examples=40)
@given(cron_texts(), places())
def test_skipping_gaps_only_takes_firings_away(text: str, place: _Place) -> None:
    zone, after = place
    shifting = _two_days(schedule(text, zone), after)

    skipping = _two_days(replace(schedule(text, zone), gap_policy=GapPolicy.SKIP), after)

    assert set(skipping) <= set(shifting)
    assert all(_is_right_after_a_gap(each, zone) for each in set(shifting) - set(skipping))


@settings(deadline=None, max_examples=40)
@given(cron_texts(), places())
def test_both_adds_second_passes_alone(text: str, place: _Place) -> None:
    zone, after = place
    first = _two_days(schedule(text, zone), after)

    both = _two_days(replace(schedule(text, zone), fold_policy=FoldPolicy.BOTH), after)

    assert set(first) <= set(both)
    assert all(_is_second_pass(each, zone) for each in set(both) - set(first))


@settings(deadline=None)
@given(cron_texts(), places(), _GAPS, _FOLDS)
def test_policies_do_not_touch_rhythms(
    text: str, place: _Place, gap: GapPolicy, fold: FoldPolicy
) -> None:
    zone, after = place
    usual = schedule(text, zone)
    assume(not usual.cron.is_fixed)

    other = replace(usual, gap_policy=gap, fold_policy=fold)

    assert other.upcoming(after, 150) == usual.upcoming(after, 150)


def _two_days(of: Schedule, after: datetime) -> list[datetime]:
    return of.between(after, after + _TWO_DAYS, limit=10_000)


def _is_right_after_a_gap(instant: datetime, zone: str) -> bool:
    before = wall_of(instant - timedelta(seconds=1), zone_of(zone))
    return wall_of(instant, zone_of(zone)) - before > timedelta(seconds=1)


def _is_second_pass(instant: datetime, zone: str) -> bool:
    return instant in instants_of(wall_of(instant, zone_of(zone)), zone_of(zone))[1:]
