"""A list of the schema in one of its orders, filled, and read as the API gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from graphql import GraphQLEnumType, GraphQLField, GraphQLInputObjectType, GraphQLObjectType
from graphql import get_named_type as named

from promptpilot.engine.principal import Principal
from tests.schema.api import Api
from tests.schema.making import MAKERS, Item, store
from tests.schema.walking import SCHEMA

_EVENTS: Final = ("WorkflowExecution", "events")


@dataclass(frozen=True, slots=True)
class Listing:
    """A field that answers with a page, and an order of it; `order` is empty if it has one only."""

    owner: str
    name: str
    order: str = ""
    is_descending: bool = True

    def __str__(self) -> str:
        direction = "desc" if self.is_descending else "asc"
        return f"{self.owner}.{self.name}{self.order and f'.{self.order}.{direction}'}"

    @property
    def is_nested(self) -> bool:
        """Whether it is read below an object, together with those of others."""
        return self.owner != "Query"

    def asked(self, alias: str, parent: str, cut: str) -> str:
        """Return what asks for a part of the list below an object."""
        direction = "DESC" if self.is_descending else "ASC"
        order = f" orderBy: {{field: {self.order}, direction: {direction}}}" if self.order else ""
        shown = "sequence" if (self.owner, self.name) == _EVENTS else "id"
        page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        inner = f"{{ {page} edges {{ cursor node {{ shown: {shown} }} }} }}"
        text = f"{self.name}({cut}{order}) {inner}"
        if not self.is_nested:
            return f"{alias}: {text}"
        return f'{alias}: node(id: "{parent}") {{ ... on {self.owner} {{ {text} }} }}'


def listings() -> list[Listing]:
    """Return every list of the schema in every order."""
    types = [each for each in SCHEMA.type_map.values() if isinstance(each, GraphQLObjectType)]
    return [
        found
        for owner in types
        for name, each in owner.fields.items()
        if _is_page(each)
        for found in _orders(owner.name, name, each)
    ]


def _is_page(asked: GraphQLField) -> bool:
    type_ = named(asked.type)
    return isinstance(type_, GraphQLObjectType) and "pageInfo" in type_.fields


def _orders(owner: str, name: str, asked: GraphQLField) -> Iterator[Listing]:
    if "orderBy" not in asked.args:
        yield Listing(owner, name, is_descending=(owner, name) != _EVENTS)
        return
    order = named(asked.args["orderBy"].type)
    assert isinstance(order, GraphQLInputObjectType)
    fields = named(order.fields["field"].type)
    assert isinstance(fields, GraphQLEnumType)
    for each in fields.values:
        yield Listing(owner, name, each, is_descending=True)
        yield Listing(owner, name, each, is_descending=False)


@dataclass(slots=True)
class Shelf:
    """A list with what stands in it below one parent. `items` are in no order."""

    listing: Listing
    principal: Principal
    choice: Random
    parent: str = ""
    items: list[Item] = field(default_factory=list)
    _made: int = 0

    async def set_up(self, size: int) -> None:
        """Store the parent, if the list has one, and so many items."""
        _, make_parent = MAKERS[self.listing.owner, self.listing.name]
        if make_parent is not None:
            above = make_parent(self.principal, "", 0, self.choice)
            await store([above])
            self.parent = above.shown
        await self.add(size)

    async def add(self, count: int) -> None:
        """Put so many more items in."""
        make, _ = MAKERS[self.listing.owner, self.listing.name]
        numbers = range(self._made, self._made + count)
        items = [make(self.principal, self.parent, each, self.choice) for each in numbers]
        self._made += count
        await store(items)
        self.items += items

    async def take(self, item: Item) -> None:
        """Take an item out."""
        await item.remove()
        self.items.remove(item)

    def place(self, item: Item) -> tuple[Any, Any]:
        """Return where an item stands, among those that are there and those that were."""
        return item.place(self.listing.order)

    def sorted(self) -> list[Item]:
        """Return the items in the order of the list."""
        return sorted(self.items, key=self.place, reverse=self.listing.is_descending)

    def is_beyond(self, item: Item, other: Item) -> bool:
        """Tell whether an item comes after another one in the list."""
        mine, others = self.place(item), self.place(other)
        return mine < others if self.listing.is_descending else mine > others


async def read(api: Api, asked: Sequence[tuple[Shelf, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the parts of lists that are asked for, all in one operation."""
    parts = [
        shelf.listing.asked(f"n{number}", shelf.parent, _arguments(cut))
        for number, (shelf, cut) in enumerate(asked)
    ]
    found = await api.run("{ " + " ".join(parts) + " }")
    pages = [found[f"n{number}"] for number in range(len(asked))]
    return [
        page[shelf.listing.name] if shelf.listing.is_nested else page
        for page, (shelf, _) in zip(pages, asked, strict=True)
    ]


def _arguments(cut: Mapping[str, Any]) -> str:
    texts = {name: f'"{each}"' if isinstance(each, str) else each for name, each in cut.items()}
    return " ".join(f"{name}: {text}" for name, text in texts.items() if text is not None)


def shown(page: dict[str, Any]) -> list[Any]:
    """Return the items of a page as they are shown."""
    return [edge["node"]["shown"] for edge in page["edges"]]
