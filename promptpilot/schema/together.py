"""Reads what the items of a list ask for alike in one statement for all of them.

Rules: what is joined is read by the same caller for the same answer. Each part keeps its own
filter, order and limit, so that an index serves it as it would alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from operator import itemgetter
from typing import Any, Final, TypeAlias, TypeVar

from strawberry.dataloader import DataLoader
from tortoise.queryset import QuerySet

from promptpilot.models.database import Database, Dialect

#: A statement with `$1`, `$2`, …, and its values.
Question: TypeAlias = tuple[str, tuple[Any, ...]]

W = TypeVar("W")

_PART: Final = "part_number"
_PARAMETER: Final = re.compile(r"\$(\d+)")
#: SQLite joins 500 statements at most.
_MAX_PARTS: Final = 400


@dataclass(frozen=True, slots=True, eq=False)
class _Count:
    """The rows to count, one more than `limit` at most."""

    rows: QuerySet[Any]
    limit: int | None


class Together:
    """Joins what is asked for at the same time. Belongs to one answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lists: DataLoader[QuerySet[Any], list[Any]] = DataLoader(
            self._read_lists, _MAX_PARTS, cache=False
        )
        self._counts: DataLoader[_Count, int] = DataLoader(
            self._read_counts, _MAX_PARTS, cache=False
        )
        self._answers: DataLoader[Question, list[dict[str, Any]]] = DataLoader(
            self._read_answers, _MAX_PARTS, cache=False
        )

    async def rows(self, wanted: QuerySet[Any]) -> list[Any]:
        """Return the rows of a query, with what it annotates."""
        return await self._lists.load(wanted)

    async def count(self, rows: QuerySet[Any], limit: int | None) -> int:
        """Count the rows up to `limit`; one more stands for "more than that"."""
        return await self._counts.load(_Count(rows, limit))

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of a statement; parameters are `$1`, `$2`, … on both databases."""
        return await self._answers.load((sql, values))

    async def _read_lists(self, wanted: list[QuerySet[Any]]) -> list[list[Any]]:
        return await _in_groups(wanted, _columns, self._joined)

    async def _read_counts(self, wanted: list[_Count]) -> list[int]:
        questions = [_counting(each) for each in wanted]
        return [int(rows[0]["number"]) for rows in await self._answered(questions)]

    async def _read_answers(self, questions: list[Question]) -> list[list[dict[str, Any]]]:
        return await _in_groups(questions, itemgetter(0), self._answered)

    async def _answered(self, questions: Sequence[Question]) -> list[list[dict[str, Any]]]:
        """Read the answers to one question about several things."""
        sql, values = _union(questions)
        answers: list[list[dict[str, Any]]] = [[] for _ in questions]
        for row in await self._database.fetch(sql, *values):
            answers[row[_PART]].append(row)
        return answers

    async def _joined(self, queries: Sequence[QuerySet[Any]]) -> list[list[Any]]:
        """Read several lists of one table."""
        if len(queries) == 1:
            return [await queries[0]]
        sql, values = _union([_asked(query) for query in queries])
        if self._database.dialect is Dialect.SQLITE:
            sql = _PARAMETER.sub(r"?\1", sql)
        first = queries[0]
        # Tortoise joins no lists itself; these are the steps by which it reads one.
        client, annotated = first._db, [*first._annotations]  # noqa: SLF001 -- see above
        executor = client.executor_class(model=first.model, db=client)
        lists: list[list[Any]] = [[] for _ in queries]
        for row in await executor.execute_select(sql, [*values], [*annotated, _PART]):
            lists[getattr(row, _PART)].append(row)
        return lists


async def _in_groups(
    wanted: Sequence[W],
    group_of: Callable[[W], Hashable],
    read: Callable[[Sequence[W]], Awaitable[list[list[Any]]]],
) -> list[list[Any]]:
    """Read what belongs together at once; return the lists in the order they were wanted in."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, each in enumerate(wanted):
        groups[group_of(each)].append(place)
    found: dict[int, list[Any]] = {}
    for places in groups.values():
        lists = await read([wanted[place] for place in places])
        found.update(zip(places, lists, strict=True))
    return [found[place] for place in range(len(wanted))]


def _columns(query: QuerySet[Any]) -> Hashable:
    """Return what lists must have in common to be joined."""
    fields, annotated = query._fields_for_select, query._annotations  # noqa: SLF001 -- not public
    return query.model, tuple(fields), tuple(annotated)


def _asked(query: QuerySet[Any]) -> Question:
    """Return the statement of a query."""
    query._choose_db_if_not_chosen()  # noqa: SLF001 -- what its sql() does, which drops the values
    query._make_query()  # noqa: SLF001 -- as above
    sql, values = query.query.get_parameterized_sql()
    numbers = count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql), tuple(values)


def _counting(wanted: _Count) -> Question:
    rows = wanted.rows if wanted.limit is None else wanted.rows.limit(wanted.limit + 1)
    sql, values = _asked(rows.only(rows.model._meta.pk_attr))  # noqa: SLF001 -- as above
    return f"SELECT COUNT(*) AS number FROM ({sql}) AS counted", values  # noqa: S608 -- ours


def _union(questions: Sequence[Question]) -> Question:
    """Join statements; each row says the number of the one that it answers."""
    parts: list[str] = []
    values: list[Any] = []
    for number, (sql, given) in enumerate(questions):
        moved = _PARAMETER.sub(partial(_moved, len(values)), sql)
        parts.append(f"SELECT p.*, {number} AS {_PART} FROM ({moved}) AS p")  # noqa: S608 -- ours
        values += given
    return " UNION ALL ".join(parts), tuple(values)


def _moved(offset: int, parameter: re.Match[str]) -> str:
    return f"${int(parameter[1]) + offset}"
