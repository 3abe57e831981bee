"""Reads rows without the columns that nobody asks for.

Rules: a column that was left out is not there; reading it raises AttributeError.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

from tortoise.queryset import QuerySet

from promptpilot.models.columns import Row

#: Names of columns that are not read.
LeftOut: TypeAlias = frozenset[str]
R = TypeVar("R", bound=Row)

NOTHING: Final[LeftOut] = frozenset()


def without(rows: QuerySet[R], left_out: LeftOut) -> QuerySet[R]:
    """Return a query that leaves columns out; names of columns it does not have are ignored."""
    columns = rows.model._meta.fields_map  # noqa: SLF001 -- the documented place of the columns
    kept = [name for name in columns if name not in left_out]
    return rows if len(kept) == len(columns) else rows.only(*kept)
