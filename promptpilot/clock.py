"""The only place that reads the wall clock.

Units: every instant is an aware `datetime` in UTC; at the border of the database it is an
integer of epoch milliseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    """Tells the time. Tests and local development may pass one that is moved by hand."""

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the current instant, aware and in UTC."""
        return datetime.now(UTC)


def to_ms(instant: datetime) -> int:
    """Return epoch milliseconds, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return the aware UTC instant of an epoch in milliseconds."""
    return _EPOCH + timedelta(milliseconds=milliseconds)
