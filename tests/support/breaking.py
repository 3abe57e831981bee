"""A database that a process loses in the middle: after so many statements, as a crash does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from promptpilot.models.database import Database

T = TypeVar("T")


class Crash(BaseException):
    """The process ended here. No handler for errors may catch it."""


class BreakingDatabase(Database):
    """The same database; after `statements` of them everything raises Crash.

    A statement that was executed stays so; in a transaction it is undone, as by a real crash. The
    end of a repeated work counts as a statement too.
    """

    def __init__(self, whole: Database, statements: int) -> None:
        super().__init__(whole.url, whole.address, whole._context)
        self._left = statements

    @property
    def is_broken(self) -> bool:
        """Whether it came to the crash."""
        return self._left <= 0

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Fetch, and count."""
        rows = await super().fetch(sql, *values)
        self._count()
        return rows

    async def execute(self, sql: str, *values: Any) -> int:
        """Execute, and count."""
        changed = await super().execute(sql, *values)
        self._count()
        return changed

    async def retry(self, work: Callable[[], Awaitable[T]], *, for_seconds: float = 15.0) -> T:
        """Do the work, and count."""
        result = await super().retry(work, for_seconds=for_seconds)
        self._count()
        return result

    def _count(self) -> None:
        self._left -= 1
        if self.is_broken:
            raise Crash
