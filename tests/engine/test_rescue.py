"""Proves that what is due is rung for, once in fifteen seconds, until somebody takes it.

Sweeping goes by the database's own clock, so the tests move the rows instead of the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.commits.items import Opening
from promptpilot.engine.rescue import Sweeper
from promptpilot.models.database import Database
from tests.support.fakes import FakeWaker
from tests.support.ledgers import opening


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    """Give a committer on the real clock."""
    opened = await open_committer(database, clock=SystemClock())
    yield opened
    await opened.close()


@pytest.fixture
def sweeper(database: Database, waker: FakeWaker) -> Sweeper:
    """Give a sweeper."""
    return Sweeper(database, waker)


async def age(database: Database, milliseconds: int) -> None:
    """Let time pass for everything that is stored."""
    await database.execute(
        "UPDATE executions SET ready_at = ready_at - $1, dispatched_at = dispatched_at - $2"
        " WHERE dispatched_at > 0",
        milliseconds,
        milliseconds,
    )


async def test_what_is_due_is_rung_for_once(
    sweeper: Sweeper, committer: Committer, waker: FakeWaker
) -> None:
    for _ in range(3):
        await committer.open(opening())

    found = [await sweeper.sweep() for _ in range(3)]

    assert found == [3, 0, 0]
    assert waker.count == 1


async def test_nothing_due_rings_nothing(sweeper: Sweeper, waker: FakeWaker) -> None:
    assert await sweeper.sweep() == 0
    assert waker.count == 0


async def test_what_was_not_taken_is_rung_for_again_after_fifteen_seconds(
    sweeper: Sweeper, committer: Committer, database: Database, waker: FakeWaker
) -> None:
    await committer.open(opening())
    await sweeper.sweep()

    await age(database, 10_000)
    assert await sweeper.sweep() == 0
    await age(database, 5_000)

    assert await sweeper.sweep() == 1
    assert waker.count == 2


async def test_what_is_not_due_is_left_alone(
    sweeper: Sweeper, committer: Committer, database: Database
) -> None:
    later = opening(status="WAITING", wait_reason="DELAY")
    await committer.open(Opening(later.execution, start_in_ms=60_000))
    held = opening()
    await committer.open(held)
    await committer.claim("w1", 1, 60_000)

    assert await sweeper.sweep() == 0


async def test_an_expired_lease_is_rung_for(
    sweeper: Sweeper, committer: Committer, database: Database
) -> None:
    await committer.open(opening())
    await sweeper.sweep()
    await committer.claim("w1", 1, 60_000)

    await database.execute(
        "UPDATE executions SET ready_at = dispatched_at, dispatched_at = dispatched_at - 1"
    )

    assert await sweeper.sweep() == 1


async def test_concurrent_sweepers_ring_once_for_each(
    committer: Committer, database: Database, waker: FakeWaker
) -> None:
    for _ in range(20):
        await committer.open(opening())
    sweepers = [Sweeper(database, waker) for _ in range(5)]

    found = await asyncio.gather(*[each.sweep() for each in sweepers])

    assert sum(found) == 20


async def test_a_bell_that_lost_its_memory_rings_for_everything_again(
    sweeper: Sweeper, committer: Committer
) -> None:
    await committer.open(opening())
    await sweeper.sweep()

    await sweeper.redeliver_all()

    assert await sweeper.sweep() == 1


async def test_what_has_ended_is_not_rung_for(
    sweeper: Sweeper, committer: Committer, database: Database
) -> None:
    await committer.open(opening())
    await database.execute(
        "UPDATE executions SET status = 'CANCELLED', ready_at = NULL, finished_at = 1"
    )

    await sweeper.redeliver_all()

    assert await sweeper.sweep() == 0
