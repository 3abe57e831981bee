"""Proves that a page is what cutting the whole list would give, with ties and NULLs.

And that cursors of another list, and numbers that cannot be, are refused.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptpilot.clock import to_ms
from promptpilot.engine.principal import Principal
from promptpilot.errors import InvalidInput
from promptpilot.models import Execution
from promptpilot.schema.paging import PageRequest, Sorting, page_of
from tests.schema.rows import execution_row

NEVER = 2**63 - 1
CREATED = ("executions.CREATED_AT", '"executions"."created_at"')
FINISHED = ("executions.FINISHED_AT", f'COALESCE("executions"."finished_at", {NEVER})')
SORTINGS = [
    Sorting(*key, is_descending=is_descending)
    for key in (CREATED, FINISHED)
    for is_descending in (False, True)
]


@dataclass(frozen=True)
class Cut:
    """Which part of a list is asked for, by places instead of cursors."""

    size: int
    is_backward: bool
    after: int | None = None
    before: int | None = None

    def of(self, whole: list[str]) -> list[str]:
        """Cut the part out of the whole list."""
        start = 0 if self.after is None else self.after + 1
        inside = whole[start : self.before] if self.before != 0 else []
        return (
            inside[max(0, len(inside) - self.size) :] if self.is_backward else inside[: self.size]
        )

    def request(self, cursors: list[str]) -> PageRequest:
        """Ask for the part with the cursors of the whole list."""
        return PageRequest(
            first=None if self.is_backward else self.size,
            last=self.size if self.is_backward else None,
            after=None if self.after is None else cursors[self.after],
            before=None if self.before is None else cursors[self.before],
        )


TIMES = st.lists(
    st.tuples(st.integers(0, 3), st.none() | st.integers(3, 5)), min_size=6, max_size=9
)
PLACES = st.none() | st.integers(0, 5)
CUTS = st.builds(Cut, st.integers(0, 4), st.booleans(), PLACES, PLACES)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(times=TIMES, sorting=st.sampled_from(SORTINGS), cut=CUTS)
async def test_a_page_is_a_cut_of_the_whole_list(
    principal: Principal, times: list[tuple[int, int | None]], sorting: Sorting, cut: Cut
) -> None:
    whole = await _store(principal, times, sorting)
    everything = await page_of(Execution.all(), sorting, PageRequest(first=100))
    cursors = [edge.cursor for edge in everything.edges]

    page = await page_of(Execution.all(), sorting, cut.request(cursors))

    expected = cut.of(whole)
    assert [row.id for row in page.nodes] == expected
    assert page.page_info.end_cursor == (cursors[whole.index(expected[-1])] if expected else None)


async def _store(
    principal: Principal, times: Sequence[tuple[int, int | None]], sorting: Sorting
) -> list[str]:
    """Store executions with these times and return their ids in order."""
    await Execution.all().delete()
    rows = [execution_row(principal, created, finished) for created, finished in times]
    await Execution.bulk_create(rows)

    def key(row: Execution) -> tuple[int, str]:
        if sorting.name == CREATED[0]:
            return to_ms(row.created_at), row.id
        return (to_ms(row.finished_at) if row.finished_at else NEVER), row.id

    return [row.id for row in sorted(rows, key=key, reverse=sorting.is_descending)]


async def test_walking_forward_sees_everything_once_and_knows_the_end(principal: Principal) -> None:
    await Execution.bulk_create([execution_row(principal, each % 3) for each in range(25)])
    sorting, after, seen = Sorting(*CREATED, is_descending=True), None, []

    while True:
        page = await page_of(Execution.all(), sorting, PageRequest(first=10, after=after))
        seen += [row.id for row in page.nodes]
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break

    assert len(seen) == len(set(seen)) == 25
    assert page.page_info.has_previous_page


async def test_twenty_items_are_given_when_no_number_is_asked_for(principal: Principal) -> None:
    await Execution.bulk_create([execution_row(principal, each) for each in range(21)])

    page = await page_of(Execution.all(), Sorting(*CREATED, is_descending=False), PageRequest())

    assert len(page.nodes) == 20
    assert page.page_info.has_next_page


async def test_a_list_is_counted_up_to_the_limit(principal: Principal) -> None:
    await Execution.bulk_create([execution_row(principal, each) for each in range(5)])
    sorting = Sorting(*CREATED, is_descending=True)

    counts = {
        limit: await (await page_of(Execution.all(), sorting, PageRequest(), limit)).count()
        for limit in (3, 5, 9, None)
    }

    assert counts == {3: 4, 5: 5, 9: 5, None: 5}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (PageRequest(first=1, last=1), "not both"),
        (PageRequest(first=101), "between 0 and 100, not 101"),
        (PageRequest(last=-1), "between 0 and 100, not -1"),
    ],
)
def test_a_number_that_cannot_be_is_refused(request_: PageRequest, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        _ = request_.size


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "hello",
        "é",
        "A" * 5000,
        _encoded("[]"),
        _encoded("[" * 3000),
        _encoded('["executions.CREATED_AT.asc",0,"ex"]'),
        _encoded('["executions.CREATED_AT.desc",true,"ex"]'),
        _encoded('["executions.CREATED_AT.desc",9223372036854775808,"ex"]'),
        _encoded('["executions.CREATED_AT.desc",0,"\\u0000"]'),
        _encoded('["executions.CREATED_AT.desc",0,{}]'),
    ],
)
async def test_a_cursor_of_another_list_is_named_and_refused(
    cursor: str, principal: Principal
) -> None:
    sorting = Sorting(*CREATED, is_descending=True)

    with pytest.raises(InvalidInput, match="is not a cursor of this list") as refused:
        await page_of(Execution.all(), sorting, PageRequest(after=cursor))

    assert refused.value.path == ("after",)
