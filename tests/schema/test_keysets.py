"""Proves of every list of the schema, in every order, that its pages are what sorting it gives.

Many items have the same place, and there are others below another parent and of another caller.
A list that is new in the schema fails here until it is known how its items are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from promptpilot.engine.principal import Principal
from tests.schema.api import Api
from tests.schema.counting import counted
from tests.schema.making import MAKERS, Item
from tests.schema.shelf import Listing, Shelf, listings, read, shown

SIZE, CUTS, STEPS, STEP = 15, 24, 6, 2

every_list = pytest.mark.parametrize("listing", listings(), ids=str)


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a list by places: the first or last `size` between `after` and `before`."""

    size: int
    is_backward: bool
    after: int | None
    before: int | None

    def of(self, whole: list[Any]) -> list[Any]:
        """Cut the part out of the whole list."""
        start = 0 if self.after is None else self.after + 1
        inside = whole[start : len(whole) if self.before is None else self.before]
        return (
            inside[max(0, len(inside) - self.size) :] if self.is_backward else inside[: self.size]
        )

    def arguments(self, cursors: list[str]) -> dict[str, Any]:
        """Return what asks for the part."""
        return {
            "last" if self.is_backward else "first": self.size,
            "after": None if self.after is None else cursors[self.after],
            "before": None if self.before is None else cursors[self.before],
        }

    def expected(self, whole: list[Any], cursors: list[str]) -> dict[str, Any]:
        """Return the items, cursors and marks of the part; an empty part has no marks."""
        part = self.of(whole)
        if not part:
            return {"shown": []}
        first, last = whole.index(part[0]), whole.index(part[-1])
        marks = {"startCursor": cursors[first], "endCursor": cursors[last]}
        ends = {"hasPreviousPage": first > 0, "hasNextPage": last < len(whole) - 1}
        return {"shown": part, **marks, **ends}


def _cuts(choice: Random) -> list[Cut]:
    places = [None, *range(SIZE)]
    return [
        Cut(
            choice.randrange(6), choice.random() < 0.5, choice.choice(places), choice.choice(places)
        )
        for _ in range(CUTS)
    ]


def _seen(page: dict[str, Any]) -> dict[str, Any]:
    return {"shown": shown(page), **(page["pageInfo"] if page["edges"] else {})}


async def _shelves(listing: Listing, *owners: Principal) -> list[Shelf]:
    """Fill a list of each of these; of the first one below two parents, if it has parents."""
    everyone = [*owners[:1], *owners] if listing.is_nested else owners
    made = [Shelf(listing, owner, Random(number)) for number, owner in enumerate(everyone)]  # noqa: S311 -- the same at every run
    for shelf in made:
        await shelf.set_up(SIZE)
    return [shelf for shelf in made if shelf.principal is owners[0]]


def test_it_is_known_how_to_fill_every_list() -> None:
    assert {(each.owner, each.name) for each in listings()} == MAKERS.keys()


@every_list
async def test_every_part_of_a_list_is_what_cutting_the_sorted_items_gives(
    listing: Listing, api: Api, principal: Principal, stranger: Principal
) -> None:
    shelves = await _shelves(listing, principal, stranger)
    wholes = [[item.shown for item in shelf.sorted()] for shelf in shelves]
    pages = await read(api, [(shelf, {"first": 100}) for shelf in shelves])
    cursors = [[edge["cursor"] for edge in page["edges"]] for page in pages]
    parts = [(each, cut) for each in range(len(shelves)) for cut in _cuts(Random(each))]  # noqa: S311 -- as above

    with counted(api.engine.database) as statements:
        asked = [(shelves[each], cut.arguments(cursors[each])) for each, cut in parts]
        found = [_seen(page) for page in await read(api, asked)]

    assert [shown(page) for page in pages] == wholes
    assert found == [cut.expected(wholes[each], cursors[each]) for each, cut in parts]
    assert not listing.is_nested or len(statements) < CUTS / 2
    assert len(set(cursors[0])) == SIZE


@every_list
async def test_walking_while_items_come_and_go_shows_what_lies_beyond_the_last_item(
    listing: Listing, api: Api, principal: Principal
) -> None:
    shelf = (await _shelves(listing, principal))[0]
    ends: list[tuple[Item, str] | None] = [None, None]

    for _ in range(STEPS):
        pages = await read(api, [(shelf, _beyond(end, number)) for number, end in enumerate(ends)])
        wanted = _next(shelf, ends)
        assert [shown(page) for page in pages] == [[item.shown for item in each] for each in wanted]
        ends = [_end(*each) for each in zip(ends, pages, wanted, (-1, 0), strict=True)]
        await _change(shelf, ends)


def _beyond(end: tuple[Item, str] | None, is_backward: int) -> dict[str, Any]:
    """Return what asks for the next items; the walk goes forward or backward."""
    number, cursor = ("last", "before") if is_backward else ("first", "after")
    return {number: STEP, cursor: end and end[1]}


def _next(shelf: Shelf, ends: list[tuple[Item, str] | None]) -> list[list[Item]]:
    """Return what comes next in the forward and the backward walk."""
    whole = shelf.sorted()
    after, before = ends
    rest = [item for item in whole if after is None or shelf.is_beyond(item, after[0])]
    start = [item for item in whole if before is None or shelf.is_beyond(before[0], item)]
    return [rest[:STEP], start[-STEP:]]


def _end(
    before: tuple[Item, str] | None, page: dict[str, Any], items: list[Item], place: int
) -> tuple[Item, str] | None:
    """Return where a walk is: at its last item, which need not be there any more."""
    return (items[place], page["edges"][place]["cursor"]) if items else before


async def _change(shelf: Shelf, ends: list[tuple[Item, str] | None]) -> None:
    """Take out where the walks are, or not, and one more; put three in anywhere."""
    stood = [end[0] for end in ends if end and end[0] in shelf.items]
    gone = [item for item in stood if shelf.choice.random() < 0.5]
    others = [item for item in shelf.items if item not in gone]
    for item in dict.fromkeys([*map(id, gone), id(shelf.choice.choice(others))]):
        await shelf.take(next(each for each in shelf.items if id(each) == item))
    await shelf.add(3)
