"""Proves what events tell, and that they are numbered 1 to n whoever writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptpilot.clock import SystemClock
from promptpilot.engine import events
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.commits.items import Claimed, FencedWrite
from promptpilot.engine.control import Control
from promptpilot.engine.events import EventKind
from promptpilot.engine.ledger import Entry
from promptpilot.engine.ledger_rows import AttemptMark, Ended
from promptpilot.engine.lifecycle import FINAL, ExecutionStatus, StepStatus
from promptpilot.engine.reasons import reason
from promptpilot.engine.scope import Outcome
from promptpilot.models.database import Database, connect
from tests.support import database as databases
from tests.support.clock import ManualClock
from tests.support.ledgers import begun, opening, place

LEASE_MS = 15_000
_MINUTE = timedelta(minutes=1)


def test_only_a_final_status_of_the_execution_is_the_last_event() -> None:
    last = {
        status for status in ExecutionStatus if events.is_last(EventKind.EXECUTION_STATUS, status)
    }

    assert last == FINAL
    assert not events.is_last(EventKind.STEP_STATUS, StepStatus.COMPLETED)
    assert not events.is_last(EventKind.STEP_RETRY, None)


def test_a_retry_tells_which_attempt_failed() -> None:
    told = events.retry_scheduled("0", 2)

    assert (told.kind, told.path, told.attempt) == (EventKind.STEP_RETRY, "0", 2)
    assert (told.from_status, told.to_status) == (None, None)


@pytest.fixture
async def processes(database: Database, clock: ManualClock) -> AsyncIterator[list[Committer]]:
    """Give the committers of four processes."""
    opened = [await open_committer(database, clock=clock) for _ in range(4)]
    yield opened
    for each in opened:
        await each.close()


async def numbers(database: Database) -> dict[str, list[int]]:
    """Return the event numbers of each execution, in the order of the table."""
    rows = await database.fetch("SELECT execution_id, seq FROM execution_events ORDER BY 1, 2")
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["execution_id"], []).append(row["seq"])
    return found


async def assert_gapless(database: Database) -> None:
    """Fail unless the events of every execution are numbered 1 to its `last_seq`."""
    rows = await database.fetch("SELECT id, last_seq FROM executions")
    expected = {row["id"]: list(range(1, row["last_seq"] + 1)) for row in rows}
    assert await numbers(database) == expected


async def test_events_of_concurrent_writers_have_no_gap(
    processes: list[Committer], database: Database, clock: ManualClock
) -> None:
    ids = [opening() for _ in range(8)]
    await asyncio.gather(*[processes[0].open(each) for each in ids])
    control = Control(database, clock)

    async def work(committer: Committer, owner: str) -> None:
        for _ in range(5):
            for claimed in await committer.claim(owner, 3, LEASE_MS):
                await committer.record(begun(claimed))
            clock.move(seconds=5)

    busy = [work(each, f"w{n}") for n, each in enumerate(processes)]
    cancels = [control.cancel("ws_1", each.id, None) for each in ids[:4]]
    await asyncio.gather(*busy, *cancels)

    await assert_gapless(database)


async def test_of_many_writes_at_one_number_one_is_stored(
    processes: list[Committer], database: Database
) -> None:
    await processes[0].open(opening())
    (claimed,) = await processes[0].claim("w1", 1, LEASE_MS)
    writes = [_ending(claimed, n) for n in range(8)]

    writing = [processes[n % 4].record(each) for n, each in enumerate(writes)]
    answers = await asyncio.gather(*writing)

    # All of them come from one holder, so each is taken for the one that was stored.
    assert {answer.last_seq for answer in answers if answer is not None} == {3}
    assert await database.fetch("SELECT count(*) AS n FROM step_executions") == [{"n": 1}]
    await assert_gapless(database)


def _ending(claimed: Claimed, number: int) -> FencedWrite:
    entry = Entry(claimed.id, claimed.fence, claimed.last_seq, 0)
    ended = Ended(Outcome(StepStatus.COMPLETED, output={"n": number}))
    entry.end_step(place(), AttemptMark(1, claimed.now, claimed.now), ended)
    return entry.as_write()


class Holder:
    """Holds one execution and does with it whatever comes next."""

    def __init__(self, committer: Committer, clock: ManualClock) -> None:
        self.committer = committer
        self.clock = clock
        self.claimed: Claimed | None = None
        self.attempt = 0

    async def do(self, what: str) -> None:
        """Do one thing that is possible now; claim first if nothing is held."""
        if self.claimed is None:
            await self._claim()
        if self.claimed is None:
            return
        entry = Entry(self.claimed.id, self.claimed.fence, self.claimed.last_seq, 0)
        self.attempt += 1
        getattr(self, what)(entry, AttemptMark(self.attempt, 1, 1))
        recorded = await self.committer.record(entry.as_write())
        assert recorded is not None
        self.claimed = _moved(self.claimed, recorded.last_seq) if not entry.wait_reason else None

    async def _claim(self) -> None:
        self.clock.move(minutes=2)
        found = await self.committer.claim("w1", 1, LEASE_MS)
        self.claimed = found[0] if found else None

    def begin(self, entry: Entry, mark: AttemptMark) -> None:
        """Begin a step."""
        entry.begin_step(place(), 1, None)

    def skip(self, entry: Entry, mark: AttemptMark) -> None:
        """Leave a step out."""
        outcome = Outcome(StepStatus.SKIPPED)
        entry.skip_step(place(1000 + mark.number), outcome)

    def lose(self, entry: Entry, mark: AttemptMark) -> None:
        """Record a lost attempt and begin another one."""
        entry.end_attempt(place(), mark, reason("WORKER_LOST", "Gone."))
        entry.begin_step(place(), mark.number + 1, 1)

    def end(self, entry: Entry, mark: AttemptMark) -> None:
        """End a step and begin the next."""
        entry.end_step(place(mark.number), mark, Ended(Outcome(StepStatus.COMPLETED, output=1)))
        entry.begin_step(place(mark.number + 1), 1, None)

    def park(self, entry: Entry, mark: AttemptMark) -> None:
        """Wait for a retry."""
        failed = Ended(Outcome(StepStatus.FAILED, error=reason("X", "No.")))
        entry.park_for_retry(place(), mark, failed, _MINUTE)

    def hand_over(self, entry: Entry, mark: AttemptMark) -> None:
        """Give the execution back."""
        entry.hand_over()


def _moved(claimed: Claimed, last_seq: int) -> Claimed:
    return replace(claimed, last_seq=last_seq)


@asynccontextmanager
async def _holder(folder: Path, template: Path) -> AsyncIterator[tuple[Holder, Database]]:
    database = await connect(databases.copy_sqlite(template, folder))
    clock = ManualClock(SystemClock().now())
    committer = await open_committer(database, clock=clock)
    try:
        await committer.open(opening())
        yield Holder(committer, clock), database
    finally:
        await committer.close()
        await database.close()


@given(
    st.lists(st.sampled_from(["begin", "skip", "lose", "end", "park", "hand_over"]), max_size=12)
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_sequence_of_entries_is_numbered_without_gap(
    tmp_path: Path, sqlite_template: Path, deeds: list[str]
) -> None:
    async def live() -> None:
        async with _holder(tmp_path, sqlite_template) as (holder, database):
            for deed in deeds:
                await holder.do(deed)
            await assert_gapless(database)

    asyncio.run(live())
