"""Follows the changes of status of all executions of a workspace, without gap or repetition.

Invariants: the feed is read up to the oldest transaction that still writes, so nothing can come
between two entries that were read; entries of one execution stand in the order of their numbers.
A long transaction of somebody who writes to the same database server delays the feed, and loses
nothing. Like `feed`, it reads at least once a second and buffers nothing for a slow reader.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from promptpilot.clock import Clock, from_ms, to_ms
from promptpilot.engine.feed import LONGEST_WAIT_SECONDS, PAGE_SIZE
from promptpilot.engine.ports import Feed, Listener
from promptpilot.errors import CursorExpired
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database

#: How far back one may go on from.
REACH: Final = timedelta(hours=24)
#: So often at most the feed is read for one reader, however often it rings.
SHORTEST_WAIT_SECONDS: Final = 0.1

_LONGEST_ID = 100
_MAX_NUMBER = 2**53
#: What is written by transactions that began before this one is complete.
_HORIZON = {
    Dialect.POSTGRES: "pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
    Dialect.SQLITE: "(SELECT coalesce(max(position), 0) + 1 FROM execution_feed)",
}
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

    def __init__(self, database: Database, bell: Feed, clock: Clock) -> None:
        self._database = database
        self._bell = bell
        self._clock = clock
        horizon = _HORIZON[database.dialect]
        self._ask_horizon = f"SELECT {horizon} AS horizon"
        self._page = _PAGE.format(horizon=horizon, page_size=PAGE_SIZE)

    async def follow(
        self, workspace_id: str, place: Place, wanted: Wanted
    ) -> AsyncGenerator[StatusChange, None]:
        """Yield what a reader wants of a workspace's changes after a place, without end."""
        async with self._bell.listen(workspace_id) as listener:
            reader = _Reader(workspace_id, place)
            while True:
                rows = await self._database.fetch(self._page, workspace_id, *reader.place_values)
                for change in reader.take(rows):
                    if wanted.has(change):
                        yield change
                await _pause(listener, reader)

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


class _Reader:
    """Knows how far somebody has read, and how soon to look again."""

    def __init__(self, workspace_id: str, place: Place) -> None:
        self._workspace_id = workspace_id
        self._place = place
        self.is_behind = False
        self.unsettled_in_a_row = 0

    @property
    def place_values(self) -> tuple[int, str, int]:
        return self._place.position, self._place.execution_id, self._place.seq

    def take(self, rows: list[dict[str, Any]]) -> list[StatusChange]:
        """Return the changes of a page that are complete, and remember what there is besides."""
        settled = [row for row in rows if row["is_settled"]]
        self.is_behind = len(settled) == PAGE_SIZE
        self.unsettled_in_a_row = self.unsettled_in_a_row + 1 if len(settled) < len(rows) else 0
        if settled:
            last = settled[-1]
            self._place = Place(last["position"], last["execution_id"], last["seq"])
        kept = [row for row in settled if row["at"] is not None and row["workflow_id"] is not None]
        return [_change(self._workspace_id, row) for row in kept]


async def _pause(listener: Listener, reader: _Reader) -> None:
    """Wait until there may be more."""
    if reader.is_behind:
        await asyncio.sleep(0)
        return
    # What is not complete yet is looked for again soon, and less soon the longer that takes.
    soon = SHORTEST_WAIT_SECONDS * 2 ** min(reader.unsettled_in_a_row - 1, 4)
    longest = min(soon, LONGEST_WAIT_SECONDS) if reader.unsettled_in_a_row else LONGEST_WAIT_SECONDS
    started_at = asyncio.get_running_loop().time()
    await listener.wait(longest)
    rest = started_at + SHORTEST_WAIT_SECONDS - asyncio.get_running_loop().time()
    if rest > 0:
        await asyncio.sleep(rest)


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
