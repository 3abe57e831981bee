"""Kills whoever uses a database at a chosen statement, right before it or right after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Opening
from promptpilot.models.database import Database
from tests.support.committers import Around

T = TypeVar("T")


class Killed(BaseException):
    """Nothing handles it, as nothing handles kill -9."""


class Fate:
    """Lets `count` statements live. An odd count kills after the last of them was done."""

    def __init__(self, count: int) -> None:
        self._left = count

    @property
    def has_struck(self) -> bool:
        """Whether somebody was killed."""
        return self._left < 0

    async def meet(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do a statement, or be killed before or after it."""
        self._step()
        done = await work()
        self._step()
        return done

    def _step(self) -> None:
        self._left -= 1
        if self.has_struck:
            raise Killed


class DyingDatabase(Database):
    """A database at whose statements its user meets a fate. A transaction is done or not done."""

    def __init__(self, inner: Database, fate: Fate) -> None:
        super().__init__(inner.url, inner.address, inner._context)
        self._fate = fate

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Fetch, or be killed."""
        done = super().fetch
        return await self._fate.meet(lambda: done(sql, *values))

    async def retry(self, work: Callable[[], Awaitable[T]], **limits: float) -> T:
        """Do the work, or be killed."""
        done = super().retry
        return await self._fate.meet(lambda: done(work, **limits))


class DyingCommitter(Around):
    """A committer at whose openings its user meets a fate."""

    def __init__(self, inner: Committer, fate: Fate) -> None:
        super().__init__(inner)
        self._fate = fate

    async def open(self, opening: Opening) -> int | None:
        """Store, or be killed."""
        return await self._fate.meet(lambda: self.inner.open(opening))
