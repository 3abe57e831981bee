"""Proves when schedules fire on days when clocks change, against a table and two other judges."""

from __future__ import annotations

import pytest

from promptpilot.engine.triggers.kinds import FoldPolicy, GapPolicy
from tests.engine.triggers.daylight import Row, rows
from tests.support.cron_oracle import found_by_cronsim, walked_fires

_ROWS = rows()
_USUAL = (GapPolicy.SHIFT, FoldPolicy.FIRST)
#: The other library goes on in whole hours here, over minutes that come again within an hour.
_PASSED_OVER = {
    ("Australia/Lord_Howe", "50 * 5 4 *"),
    ("Pacific/Chatham", "*/10 2 * * *"),
    ("Pacific/Chatham", "*/25 2 * * *"),
}
_FOUND_ELSEWHERE = [
    row for row in _ROWS if row.policies == _USUAL and (row.zone.key, row.text) not in _PASSED_OVER
]


@pytest.mark.parametrize("row", _ROWS, ids=[row.name for row in _ROWS])
def test_a_schedule_does_what_its_row_says(row: Row) -> None:
    fires = row.schedule.between(*row.bounds, limit=100)

    assert row.shown(fires) == row.fires


@pytest.mark.parametrize("row", _ROWS, ids=[row.name for row in _ROWS])
def test_a_walk_over_every_minute_agrees_with_the_row(row: Row) -> None:
    written_out = row.text.replace("@daily", "0 0 * * *")

    fires = walked_fires(written_out, row.zone, *row.bounds, row.policies)

    assert row.shown(fires) == row.fires


@pytest.mark.parametrize("row", _FOUND_ELSEWHERE, ids=[row.name for row in _FOUND_ELSEWHERE])
def test_another_library_agrees_with_the_row(row: Row) -> None:
    fires = found_by_cronsim(row.text.replace("@daily", "0 0 * * *"), row.zone, *row.bounds)

    assert row.shown(fires) == row.fires


def test_the_table_has_every_zone_twice_and_more() -> None:
    days = {(row.zone.key, row.day) for row in _ROWS}

    assert len(days) == 15
    assert len(_ROWS) > 70
