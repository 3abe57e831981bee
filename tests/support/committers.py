"""Committers that are slow or away, around a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import (
    Claimed,
    FencedWrite,
    Opening,
    Recorded,
    Renewal,
    Renewed,
)
from promptpilot.errors import Unavailable


class Around(Committer):
    """Hands everything on."""

    def __init__(self, inner: Committer) -> None:
        self.inner = inner

    async def claim(self, owner: str, limit: int, lease_ms: int) -> list[Claimed]:
        """Hand on."""
        return await self.inner.claim(owner, limit, lease_ms)

    async def renew(self, renewals: Sequence[Renewal]) -> list[Renewed | None]:
        """Hand on."""
        return await self.inner.renew(renewals)

    def record(self, write: FencedWrite) -> asyncio.Future[Recorded | None]:
        """Hand on."""
        return self.inner.record(write)


class LostAnswers(Around):
    """Every answer to an opening is lost once, so that it is sent again."""

    async def open(self, opening: Opening) -> int | None:
        """Store it twice."""
        await self.inner.open(opening)
        return await self.inner.open(opening)


class SlowAnswers(Around):
    """Claims are made, but answered only when the gate opens."""

    def __init__(self, inner: Committer) -> None:
        super().__init__(inner)
        self.is_claimed = asyncio.Event()
        self.gate = asyncio.Event()

    async def claim(self, owner: str, limit: int, lease_ms: int) -> list[Claimed]:
        """Claim, and keep the answer back."""
        claimed = await super().claim(owner, limit, lease_ms)
        self.is_claimed.set()
        await self.gate.wait()
        return claimed


class AwayOnce(Around):
    """The first claim finds no database."""

    def __init__(self, inner: Committer) -> None:
        super().__init__(inner)
        self.has_failed = asyncio.Event()

    async def claim(self, owner: str, limit: int, lease_ms: int) -> list[Claimed]:
        """Fail once, then hand on."""
        if not self.has_failed.is_set():
            self.has_failed.set()
            raise Unavailable("away")
        return await super().claim(owner, limit, lease_ms)


class LostLeases(Around):
    """Every beat is refused."""

    async def renew(self, renewals: Sequence[Renewal]) -> list[Renewed | None]:
        """Refuse all."""
        return [None] * len(renewals)
