"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

#: When every test begins: whole milliseconds, as the database keeps them.
BEGINNING = datetime(2026, 9, 1, 12, 0, 30, tzinfo=UTC)


class ManualClock:
    """Tells the instant that it was moved to."""

    def __init__(self, at: datetime = BEGINNING) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return the instant that the clock stands at."""
        return self.at

    def move(self, **units: float) -> None:
        """Move on by a timedelta of these units, e.g. `seconds=5`."""
        self.at += timedelta(**units)
