"""Follows the changes of status of all executions of a workspace, without gap or repetition.

Invariants: the feed is read up to the oldest transaction that still writes, so nothing can come
between two entries that were read; entries of one execution stand in the order of their numbers.
A long transaction of somebody who writes to the same database server delays the feed, and loses
nothing. Like `feed`, it reads at least once a second, once for all readers at the same place, and
buffers nothing for a slow reader.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from promptpilot.clock import Clock, from_ms, to_ms
from promptpilot.engine.feed import LONGEST_WAIT_SECONDS, PAGE_SIZE
from promptpilot.engine.ports import Feed, Listener
from promptpilot.engine.shared_reads import SharedReads, new_turns, until_next_look
from promptpilot.errors import CursorExpired
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database

#: How far back one may go on from.
REACH: Final = timedelta(hours=24)
#: Readers look together, and so often at most, while it goes on ringing.
SHORTEST_WAIT_SECONDS: Final = 0.1

_LONGEST_ID = 100
_MAX_NUMBER = 2**53
#: What is written by transactions that began before this one is complete.
_HORIZON = {
    Dialect.POSTGRES: "pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
    Dialect.SQLITE: "(SELECT coalesce(max(position), 0) + 1 FROM execution_feed)",
}
_NEWEST = "SELECT max(position) AS position FROM execution_feed WHERE workspace_id = $1"
_PAGE = """
WITH page AS (
    SELECT position, execution_id, seq FROM execution_feed
    WHERE workspace_id = $1 AND (position, execution_id, seq) > ($2, $3, $4)
    ORDER BY position, execution_id, seq LIMIT {page_size}
)
SELECT p.position, p.execution_id, p.seq, v.at, v.kind, v.from_status, v.to_status, e.workflow_id,
    p.position < {horizon} AS is_settled
FROM page p
LEFT JOIN execution_events v ON v.execution_id = p.execution_id AND v.seq = p.seq
LEFT JOIN executions e ON e.id = p.execution_id AND e.workspace_id = $1
ORDER BY p.position, p.execution_id, p.seq
"""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A point in the feed: after this entry."""

    position: int
    execution_id: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A change of an execution's status, with the cursor of its place in the feed."""

    execution_id: str
    workflow_id: str
    seq: int
    kind: str
    at: datetime
    from_status: str | None
    to_status: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes a reader wants; None is all of them."""

    workflow_ids: frozenset[str] | None = None
    statuses: frozenset[str] | None = None

    def has(self, change: StatusChange) -> bool:
        """Whether the reader wants this one."""
        if self.workflow_ids is not None and change.workflow_id not in self.workflow_ids:
            return False
        return self.statuses is None or change.to_status in self.statuses


class ExecutionFeed:
    """The feeds of all workspaces. One for each process."""

    def __init__(
        self,
        database: Database,
        bell: Feed,
        clock: Clock,
        turns: asyncio.Semaphore | None = None,
    ) -> None:
        turns = turns or new_turns()
        self._database = database
        self._bell = bell
        self._clock = clock
        self._pages = SharedReads(self._read_page, turns)
        self._newest = SharedReads(self._read_newest, turns)
        horizon = _HORIZON[database.dialect]
        self._ask_horizon = f"SELECT {horizon} AS horizon"
        self._page = _PAGE.format(horizon=horizon, page_size=PAGE_SIZE)

    async def follow(
        self, workspace_id: str, place: Place, wanted: Wanted
    ) -> AsyncGenerator[StatusChange, None]:
        """Yield what a reader wants of a workspace's changes after a place, without end."""
        async with self._bell.listen(workspace_id) as listener:
            reader = _Reader(place)
            while True:
                for change in reader.take(await self._look(workspace_id, reader)):
                    if wanted.has(change):
                        yield change
                await _pause(listener, reader, workspace_id)

    async def _look(self, workspace_id: str, reader: _Reader) -> _Page:
        """Return what comes after the reader's place.

        Readers who came at different times stand at different places until they have read a
        change; until then they ask together whether there is one.
        """
        if not reader.has_read:
            newest = await self._newest.ask(workspace_id)
            if newest is None or newest < reader.place.position:
                return _NOTHING
        return await self._pages.ask((workspace_id, reader.place))

    async def _read_newest(self, workspace_id: str) -> int | None:
        (row,) = await self._database.fetch(_NEWEST, workspace_id)
        position: int | None = row["position"]
        return position

    async def _read_page(self, asked: tuple[str, Place]) -> _Page:
        workspace_id, place = asked
        values = place.position, place.execution_id, place.seq
        rows = await self._database.fetch(self._page, workspace_id, *values)
        return _page(workspace_id, rows)

    async def start(self, workspace_id: str, after: str | None) -> Place:
        """Return the place of a workspace's cursor; that of now if there is none.

        Raises CursorExpired for one that is unknown or older than 24 hours.
        """
        (row,) = await self._database.fetch(self._ask_horizon)
        horizon = int(row["horizon"])
        if after is None:
            return Place(horizon)
        place, at = decode_cursor(workspace_id, after)
        if place.position >= horizon:
            raise _expired()  # of a database that was there before this one
        if at < self._clock.now() - REACH:
            raise _expired()
        return place


@dataclass(frozen=True, slots=True)
class _Page:
    """The changes that are complete, and the place behind them; None if there are none."""

    changes: tuple[StatusChange, ...]
    end: Place | None
    is_full: bool
    is_settled: bool


_NOTHING: Final = _Page((), None, is_full=False, is_settled=True)


def _page(workspace_id: str, rows: Sequence[Mapping[str, Any]]) -> _Page:
    settled = [row for row in rows if row["is_settled"]]
    kept = [row for row in settled if row["at"] is not None and row["workflow_id"] is not None]
    last = settled[-1] if settled else None
    return _Page(
        changes=tuple(_change(workspace_id, row) for row in kept),
        end=Place(last["position"], last["execution_id"], last["seq"]) if last else None,
        is_full=len(settled) == PAGE_SIZE,
        is_settled=len(settled) == len(rows),
    )


class _Reader:
    """Knows how far somebody has read, and how soon to look again."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.has_read = False
        self.is_behind = False
        self.unsettled_in_a_row = 0

    def take(self, page: _Page) -> Sequence[StatusChange]:
        """Return the changes of a page, and remember what there is besides."""
        self.is_behind = page.is_full
        self.unsettled_in_a_row = 0 if page.is_settled else self.unsettled_in_a_row + 1
        if page.end is not None:
            self.place, self.has_read = page.end, True
        return page.changes


async def _pause(listener: Listener, reader: _Reader, workspace_id: str) -> None:
    """Wait until there may be more."""
    if reader.is_behind:
        await asyncio.sleep(0)
        return
    # What is not complete yet is looked for again soon, and less soon the longer that takes.
    soon = SHORTEST_WAIT_SECONDS * 2 ** min(reader.unsettled_in_a_row - 1, 4)
    longest = until_next_look(workspace_id, LONGEST_WAIT_SECONDS)
    longest = min(soon, LONGEST_WAIT_SECONDS) if reader.unsettled_in_a_row else longest
    started_at = asyncio.get_running_loop().time()
    await listener.wait(longest)
    if asyncio.get_running_loop().time() < started_at + SHORTEST_WAIT_SECONDS:
        await asyncio.sleep(until_next_look(workspace_id, SHORTEST_WAIT_SECONDS))


def _change(workspace_id: str, row: Mapping[str, Any]) -> StatusChange:
    place, at = Place(row["position"], row["execution_id"], row["seq"]), from_ms(row["at"])
    return StatusChange(
        execution_id=place.execution_id,
        workflow_id=row["workflow_id"],
        seq=place.seq,
        kind=row["kind"],
        at=at,
        from_status=row["from_status"],
        to_status=row["to_status"],
        cursor=encode_cursor(workspace_id, place, at),
    )


def encode_cursor(workspace_id: str, place: Place, at: datetime) -> str:
    """Return the opaque text of a place in a workspace's feed, reached at an instant."""
    text = f"{workspace_id}:{place.position}:{place.execution_id}:{place.seq}:{to_ms(at)}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(workspace_id: str, text: str) -> tuple[Place, datetime]:
    """Return the place and the instant of a workspace's cursor. Raises CursorExpired."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        parts = base64.urlsafe_b64decode(padded).decode("ascii").split(":")
        owner, position, execution_id, seq, at = parts
        place = Place(_number(position), _storable(execution_id), _number(seq))
        instant = from_ms(_number(at))
        if owner == workspace_id and encode_cursor(owner, place, instant) == text:
            return place, instant
    except (ValueError, OverflowError, binascii.Error):
        pass
    raise _expired()


def _number(text: str) -> int:
    if text.isdecimal() and len(text) < len(str(_MAX_NUMBER)):
        return int(text)
    raise ValueError(text)


def _storable(text: str) -> str:
    if len(text) <= _LONGEST_ID and text.isprintable():
        return text
    raise ValueError(text)


def _expired() -> CursorExpired:
    message = (
        "The cursor is unknown, or older than 24 hours. Subscribe without `after`, then read"
        " `executions`."
    )
    return CursorExpired(message, ("after",))
