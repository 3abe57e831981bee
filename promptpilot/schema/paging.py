"""Pages of a list: keyset pagination, stable while rows come and go, one query a page.

A list is sorted by (sort key, id). A cursor says where in which list and order it stands, so one
of another list or order is refused instead of misunderstood.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Protocol, TypeVar

from tortoise.expressions import Q, RawSQL
from tortoise.queryset import QuerySet

from promptpilot.errors import InvalidInput
from promptpilot.models.columns import Row, check_json
from promptpilot.models.partial import NOTHING, LeftOut, without
from promptpilot.schema.scalars import shown

DEFAULT_SIZE: Final = 20
MAX_SIZE: Final = 100

_LONGEST_CURSOR: Final = 4096
_KEY: Final = "sort_key"

T = TypeVar("T")
R = TypeVar("R", bound=Row)


class Reader(Protocol):
    """How lists are read and counted."""

    async def rows(self, wanted: QuerySet[Any]) -> list[Any]:
        """Return the rows of a query, with what it annotates."""
        ...

    async def count(self, rows: QuerySet[Any], limit: int | None) -> int:
        """Count the rows up to `limit`; one more stands for "more than that"."""
        ...


class Alone:
    """Reads a list for itself."""

    async def rows(self, wanted: QuerySet[Any]) -> list[Any]:
        """Return the rows of a query, with what it annotates."""
        return await wanted

    async def count(self, rows: QuerySet[Any], limit: int | None) -> int:
        """Count the rows up to `limit`; one more stands for "more than that"."""
        if limit is not None and await rows.offset(limit).limit(1).values_list("id"):
            return limit + 1
        return await rows.count()


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted, as the client said it, and how it is read."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    reader: Reader = field(default=Alone(), compare=False)
    left_out: LeftOut = NOTHING

    @property
    def is_backward(self) -> bool:
        """Whether items are counted from the end."""
        return self.last is not None

    def read_by(self, reader: Reader) -> PageRequest:
        """Return the request, read in another way."""
        return replace(self, reader=reader)

    def without(self, left_out: LeftOut) -> PageRequest:
        """Return the request, leaving out columns of the rows."""
        return replace(self, left_out=left_out)

    @property
    def size(self) -> int:
        """How many items are wanted. Raises InvalidInput for a number that cannot be."""
        if self.first is not None and self.last is not None:
            raise InvalidInput("Give `first` or `last`, not both.", ("last",))
        for name, size in (("first", self.first), ("last", self.last)):
            if size is not None and not 0 <= size <= MAX_SIZE:
                message = f"`{name}` must be between 0 and {MAX_SIZE}, not {size}."
                raise InvalidInput(message, (name,))
        return next((size for size in (self.first, self.last) if size is not None), DEFAULT_SIZE)


@dataclass(frozen=True, slots=True)
class Sorting:
    """An order of a list. `key` is SQL that is never NULL; `name` binds cursors to the order."""

    name: str
    key: str
    is_descending: bool
    key_type: type[int | str] = int

    @property
    def tag(self) -> str:
        """What a cursor of this order begins with."""
        return f"{self.name}.{'desc' if self.is_descending else 'asc'}"


@dataclass(frozen=True, slots=True)
class PageMarks:
    """Where a page sits in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True, slots=True)
class Edge(Generic[T]):
    """An item with its position."""

    cursor: str
    node: T


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. `count` counts the whole list and is called only when asked for."""

    edges: list[Edge[T]]
    page_info: PageMarks
    count: Callable[[], Awaitable[int]]

    @property
    def nodes(self) -> list[T]:
        """The items without their positions."""
        return [edge.node for edge in self.edges]


async def page_of(
    rows: QuerySet[R], sorting: Sorting, request: PageRequest, count_limit: int | None = None
) -> Page[R]:
    """Return the page of `rows` that is asked for; raise InvalidInput for a wrong request.

    The whole list is counted up to `count_limit`, and one more stands for "more than that".
    """
    size = request.size
    wanted = without(rows, request.left_out).annotate(**{_KEY: RawSQL(sorting.key)})
    for name, is_after in (("after", True), ("before", False)):
        cursor = getattr(request, name)
        if cursor is not None:
            wanted = wanted.filter(
                _beyond(_position(cursor, sorting, name), sorting, is_after=is_after)
            )
    sign = "-" if sorting.is_descending != request.is_backward else ""
    found = await request.reader.rows(wanted.order_by(f"{sign}{_KEY}", f"{sign}id").limit(size + 1))
    edges = [Edge(_cursor(row, sorting), row) for row in found[:size]]
    has_more = len(found) > size
    return cut(
        edges, request, has_more=has_more, count=lambda: request.reader.count(rows, count_limit)
    )


def cut(
    edges: list[Edge[T]],
    request: PageRequest,
    *,
    has_more: bool,
    count: Callable[[], Awaitable[int]],
) -> Page[T]:
    """Make a page of edges that were read in the direction asked for."""
    if request.is_backward:
        edges = [*reversed(edges)]
        has_next, has_previous = request.before is not None, has_more or request.after is not None
    else:
        has_next, has_previous = has_more or request.before is not None, request.after is not None
    start, end = (edges[0].cursor, edges[-1].cursor) if edges else (None, None)
    return Page(edges, PageMarks(has_next, has_previous, start, end), count)


def foreign_cursor(cursor: str, name: str) -> InvalidInput:
    """Make the error for a cursor that is not one of the list it was given to."""
    message = f"{shown(cursor)} is not a cursor of this list in this order; leave `{name}` out."
    return InvalidInput(message, (name,))


def _beyond(position: tuple[Any, str], sorting: Sorting, *, is_after: bool) -> Q:
    """Select the rows strictly after, or before, a position in the order of the list."""
    key, row_id = position
    comparison = "gt" if is_after != sorting.is_descending else "lt"
    # The first condition says nothing new; it lets the database start inside the index.
    return Q(**{f"{_KEY}__{comparison}e": key}) & (
        Q(**{f"{_KEY}__{comparison}": key}) | Q(**{_KEY: key, f"id__{comparison}": row_id})
    )


def _cursor(row: Row, sorting: Sorting) -> str:
    text = json.dumps([sorting.tag, getattr(row, _KEY), row.pk], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _position(cursor: str, sorting: Sorting, name: str) -> tuple[Any, str]:
    try:
        return _read(cursor, sorting)
    except (ValueError, RecursionError, InvalidInput):
        raise foreign_cursor(cursor, name) from None


def _read(cursor: str, sorting: Sorting) -> tuple[Any, str]:
    if len(cursor) > _LONGEST_CURSOR:
        raise ValueError("too long")
    padded = cursor + "=" * (-len(cursor) % 4)
    parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    check_json(parts)
    match parts:
        case [sorting.tag, key, str(row_id)] if type(key) is sorting.key_type and _fits(key):
            return key, row_id
    raise ValueError("of another list")


def _fits(key: object) -> bool:
    return not isinstance(key, int) or -(2**63) <= key < 2**63
