"""What one caller may do beside what one request may cost: how often, and how much at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from promptpilot.errors import LimitExceeded


class Rates(Protocol):
    """Counts how often each caller asks."""

    async def spend(self, key: str) -> None:
        """Count one operation of the caller `key`; raise RateLimited if it is one too many."""
        ...


class Unlimited:
    """Lets everybody ask as often as they like."""

    async def spend(self, key: str) -> None:
        """Count nothing."""


class Places:
    """What each caller holds open at a time in this process; `most` of them, 0 for no limit."""

    def __init__(self, what: str, most: int) -> None:
        self._what = what
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, key: str) -> Iterator[None]:
        """Hold one place for the caller `key`; raise LimitExceeded if they have no more."""
        if 0 < self._most <= self._taken[key]:
            message = f"At most {self._most} {self._what} of one caller may be open; close one."
            raise LimitExceeded(message, self._most)
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]

    def __len__(self) -> int:
        return self._taken.total()
