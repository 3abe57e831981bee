"""Proves that a PostgreSQL that goes away and comes back loses nothing and doubles nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.commits.postgres import PostgresStore
from promptpilot.models.database import Database, connect
from tests.support import postgres
from tests.support.ledgers import begun, count, fired_opening, full_write, opening
from tests.support.postgres import PostgresServer

LEASE_MS = 60_000


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Give a server that these tests may kill."""
    made = PostgresServer.create()
    yield made
    made.remove()


@pytest.fixture
async def private(server: PostgresServer) -> AsyncIterator[Database]:
    """Give an empty database on that server."""
    url = postgres.clone_migrated(server.url(), "private")
    opened = await connect(url)
    yield opened
    await opened.close()
    postgres.drop(server.url(), "private")


@pytest.fixture
async def writing(private: Database) -> AsyncIterator[Committer]:
    """Give a committer on the database's own clock."""
    opened = await open_committer(private)
    yield opened
    await opened.close()


class Load:
    """Opens executions as fast as it is answered, and remembers which it was told are stored."""

    def __init__(self, committer: Committer) -> None:
        self.committer = committer
        self.stored: list[str] = []
        self.is_over = False
        self.progress = asyncio.Semaphore(0)

    async def run(self) -> None:
        """Go on until it is over."""
        while not self.is_over:
            asked = fired_opening(None)
            assert await self.committer.open(asked) is not None
            self.stored.append(asked.id)
            self.progress.release()

    async def wait_for(self, count: int) -> None:
        """Return when so many more are stored."""
        for _ in range(count):
            await self.progress.acquire()


async def lose_for_a_moment(server: PostgresServer, lose: Callable[[], None]) -> None:
    """Let the server go away, long enough to be missed, and start it again."""
    await asyncio.to_thread(lose)
    await asyncio.sleep(0.05)
    server.start()  # in this thread, because the server ends with the one that starts it


async def test_openings_under_kills_are_stored_once_each(
    server: PostgresServer, private: Database, writing: Committer
) -> None:
    load = Load(writing)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(load.run())
        for lose in (server.kill, server.stop, server.kill):
            await load.wait_for(50)
            await lose_for_a_moment(server, lose)
        await load.wait_for(50)
        load.is_over = True

    rows = await private.retry(lambda: private.fetch("SELECT id FROM executions"))
    assert sorted(row["id"] for row in rows) == sorted(load.stored)
    assert await count(private, "execution_events") == len(load.stored)
    assert await count(private, "firings") == len(load.stored)


async def test_writes_whose_answer_is_lost_happen_once(
    private: Database, writing: Committer
) -> None:
    for _ in range(20):
        await writing.open(opening())
    claims = await writing.claim("w1", 20, LEASE_MS)
    store = PostgresStore(private, None)
    writes = [begun(each) if n % 2 else full_write(each) for n, each in enumerate(claims)]

    first = await store.commit(writes)
    second = await store.commit(writes)

    assert [each.last_seq for each in first] == [each.last_seq for each in second]
    assert await count(private, "execution_events") == sum(each.last_seq for each in first)
    await store.close()
    await store.close()


async def test_a_claimed_execution_goes_on_after_a_restart(
    server: PostgresServer, private: Database, writing: Committer
) -> None:
    await writing.open(opening())
    (claimed,) = await writing.claim("w1", 1, LEASE_MS)
    server.kill()
    sent = writing.record(begun(claimed))
    await lose_for_a_moment(server, server.kill)

    assert await sent is not None
    rows = await private.retry(lambda: private.fetch("SELECT last_seq FROM executions"))
    assert rows == [{"last_seq": 3}]


async def test_what_cannot_be_stored_is_not_tried_again(private: Database) -> None:
    store = PostgresStore(private, SystemClock())

    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await store.commit([opening(status="NONSENSE")])

    assert not store.is_transient(refusal.value)
    assert store.is_transient(TimeoutError())
    await store.close()


async def test_instants_are_the_databases_own(private: Database, writing: Committer) -> None:
    at = await writing.open(opening())
    claimed: list[Claimed] = await writing.claim("w1", 1, LEASE_MS)

    rows = await private.fetch("SELECT created_at, ready_at FROM executions")
    assert rows == [{"created_at": at, "ready_at": claimed[0].now + LEASE_MS}]
