"""What filters have in common: conditions that were not made, and what can match nothing.

Rules: a malformed id in a filter matches nothing, and so does a text that cannot be stored. An
empty list of alternatives matches nothing; null means that the condition is not made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from tortoise.queryset import QuerySet

from promptpilot import ids
from promptpilot.errors import InvalidInput
from promptpilot.models.columns import Row, check_json
from promptpilot.schema.given import given
from promptpilot.schema.types.relay import DateTimeRange

_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LAST: Final = datetime.max.replace(tzinfo=UTC) - _MILLISECOND

R = TypeVar("R", bound=Row)


def by_ids(
    rows: QuerySet[R], column: str, wanted: Sequence[str] | None, kind: ids.Kind
) -> QuerySet[R]:
    """Select the rows whose `column` is one of these ids; ids of another kind match nothing."""
    if given(wanted) is None:
        return rows
    known = [each for each in wanted or () if ids.is_id(each, kind)]
    return rows.filter(**{f"{column}__in": known})


def by_values(rows: QuerySet[R], column: str, wanted: Sequence[Any] | None) -> QuerySet[R]:
    """Select the rows whose `column` is one of these values."""
    if given(wanted) is None:
        return rows
    return rows.filter(**{f"{column}__in": sorted({str(value) for value in wanted or ()})})


def made_in(rows: QuerySet[R], range_: DateTimeRange | None) -> QuerySet[R]:
    """Select the rows that were made in a range."""
    if not range_:
        return rows
    if since := given(range_.since):
        rows = rows.filter(created_at__gte=_rounded_up(since))
    if until := given(range_.until):
        rows = rows.filter(created_at__lt=_rounded_up(until))
    return rows


def is_storable(text: str) -> bool:
    """Whether a text can be in the database at all."""
    try:
        check_json(text)
    except InvalidInput:
        return False
    return True


def _rounded_up(instant: datetime) -> datetime:
    """Return the next whole millisecond: the database keeps no shorter times."""
    is_last = instant > _LAST
    return instant if is_last else instant + _MILLISECOND - _MICROSECOND
