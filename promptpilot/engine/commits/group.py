"""Grouped commits: writes that arrive while a commit is on the wire become the next one together.

Every write has its own outcome. Idle, a write goes out at once, so grouping costs no latency;
under load hundreds of executions share one commit.

Rules
    1. One flusher per process. A group is bounded in rows and bytes.
    2. When a group fails for a reason that is not the connection, its items are tried one by one,
       so that a bad row fails alone.
    3. Everything that is sent may be sent again: an opening is known by its id, a fenced write by
       its fence and event number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from promptpilot.engine.commits.items import (
    Claim,
    Claimed,
    FencedWrite,
    Item,
    Opening,
    Recorded,
    Renewal,
    Renewed,
)
from promptpilot.errors import Unavailable

_MAX_ITEMS = 500
_MAX_BYTES = 1_000_000
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
_GIVE_UP_SECONDS = 15.0

log = structlog.get_logger(__name__)


class Store(Protocol):
    """Commits groups on one kind of database."""

    async def commit(self, items: Sequence[Item]) -> list[Any]:
        """Commit all of `items` and return their outcomes in order; on an error none is sure."""
        ...

    def is_transient(self, error: Exception) -> bool:
        """Whether the same group may succeed if it is sent again."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class Committer:
    """The way in for every write to an execution. Take one from `open_committer`; close it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: deque[tuple[Item, asyncio.Future[Any]]] = deque()
        self._filled = asyncio.Event()
        self._is_closing = False
        self._flusher = asyncio.create_task(self._flush_forever(), name="committer")

    async def open(self, opening: Opening) -> int | None:
        """Store a new execution. Return its instant; None if its unique key is taken."""
        at: int | None = await self._put(opening)
        return at

    async def claim(self, owner: str, limit: int, lease_ms: int) -> list[Claimed]:
        """Take at most `limit` due executions, in order of priority and time."""
        claimed: list[Claimed] = await self._put(Claim(owner, limit, lease_ms))
        return claimed

    async def renew(self, renewals: Sequence[Renewal]) -> list[Renewed | None]:
        """Prolong leases. None stands for each lease that is lost."""
        held: list[Renewed | None] = await asyncio.gather(*map(self._put, renewals))
        return held

    def record(self, write: FencedWrite) -> asyncio.Future[Recorded | None]:
        """Commit a holder's write. None if the lease is lost; then nothing was written."""
        return self._put(write)

    async def close(self) -> None:
        """Commit what is queued, stop and close. May be called twice."""
        if self._is_closing:
            await self._flusher
            return
        self._is_closing = True
        self._filled.set()
        await self._flusher
        await self._store.close()

    def _put(self, item: Item) -> asyncio.Future[Any]:
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._is_closing:
            outcome.set_exception(Unavailable("The server is stopping. Try again."))
            return outcome
        self._queue.append((item, outcome))
        self._filled.set()
        return outcome

    async def _flush_forever(self) -> None:
        while self._queue or not self._is_closing:
            await self._filled.wait()
            await asyncio.sleep(0)  # let everything that is ready in this turn of the loop join
            group = self._take()
            if group:
                await self._flush(group)
            if not self._queue and not self._is_closing:
                self._filled.clear()

    def _take(self) -> list[tuple[Item, asyncio.Future[Any]]]:
        """Take the next group. A unique key that is in the group already waits for the next."""
        group: list[tuple[Item, asyncio.Future[Any]]] = []
        held: list[tuple[Item, asyncio.Future[Any]]] = []
        keys: set[tuple[str, ...]] = set()
        size = 0
        while self._queue and len(group) < _MAX_ITEMS and size < _MAX_BYTES:
            item, outcome = self._queue.popleft()
            key = item.unique_key if isinstance(item, Opening | FencedWrite) else None
            if key in keys:
                held.append((item, outcome))
                continue
            if key is not None:
                keys.add(key)
            group.append((item, outcome))
            size += item.size
        self._queue.extendleft(reversed(held))
        return group

    async def _flush(self, group: list[tuple[Item, asyncio.Future[Any]]]) -> None:
        try:
            results = await self._commit([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 -- every waiting caller gets its own outcome
            await self._settle_failure(group, error)
            return
        for (_, outcome), result in zip(group, results, strict=True):
            if not outcome.done():
                outcome.set_result(result)

    async def _settle_failure(
        self, group: list[tuple[Item, asyncio.Future[Any]]], error: Exception
    ) -> None:
        if len(group) > 1 and not isinstance(error, Unavailable):
            log.warning("commit.split", count=len(group), error=repr(error))
            for pair in group:
                await self._flush([pair])
            return
        for _, outcome in group:
            if not outcome.done():
                outcome.set_exception(error)

    async def _commit(self, items: Sequence[Item]) -> list[Any]:
        """Commit, again and again while the database is only gone for a while."""
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + _GIVE_UP_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._store.commit(items)
            except Exception as error:
                if not self._store.is_transient(error):
                    raise
                if clock() + pause > give_up_at:
                    raise Unavailable("The database does not answer. Try again.") from error
                log.warning("commit.retried", count=len(items), error=repr(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
