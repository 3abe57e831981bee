"""Proves that a look tells each lease what is asked of its own execution, and survives silence."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

import structlog

from promptpilot.engine import asks
from promptpilot.engine.lease import Lease, monotonic
from promptpilot.models.database import Database
from tests.support.bench import Bench
from tests.support.drafts import transform
from tests.support.models import workflow
from tests.support.waits import cancel, pause, resume

SIMPLE = workflow(transform("a"))
LENGTH = timedelta(seconds=15)


class Silent:
    """A database that does not answer, and counts who asks."""

    def __init__(self) -> None:
        self.count = 0

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Fail."""
        self.count += 1
        raise OSError("gone")


async def hang() -> None:
    """Wait without end."""
    await asyncio.Event().wait()


async def held(bench: Bench) -> Lease:
    """Launch and claim an execution; return its lease."""
    await bench.launch(SIMPLE)
    return Lease(await bench.claim(), LENGTH, monotonic())


async def test_a_cancellation_is_told_and_interrupts_the_task(bench: Bench) -> None:
    lease = await held(bench)
    lease.task = asyncio.create_task(hang())
    await cancel(bench, lease.execution_id)

    await asks.look(bench.database, "w1", [lease])

    await asyncio.wait([lease.task])
    assert (lease.is_cancel_requested, lease.task.cancelled()) == (True, True)


async def test_a_pause_is_told_and_interrupts_nothing(bench: Bench) -> None:
    lease = await held(bench)
    lease.task = asyncio.create_task(asyncio.sleep(0))
    await pause(bench, lease.execution_id)

    await asks.look(bench.database, "w1", [lease])

    await lease.task
    assert lease.is_pause_requested


async def test_what_was_withdrawn_is_not_told(bench: Bench) -> None:
    lease = await held(bench)
    await pause(bench, lease.execution_id)
    await resume(bench, lease.execution_id)

    await asks.look(bench.database, "w1", [lease])

    assert not lease.is_pause_requested


async def test_a_lease_of_an_older_claim_is_told_nothing(bench: Bench) -> None:
    old = await held(bench)
    bench.clock.move(seconds=15)
    new = Lease(await bench.claim(), LENGTH, monotonic())
    await cancel(bench, new.execution_id)

    await asks.look(bench.database, "w1", [old, new])

    assert (old.is_cancel_requested, new.is_cancel_requested) == (False, True)


async def test_what_is_asked_of_another_process_is_not_told(bench: Bench) -> None:
    lease = await held(bench)
    await cancel(bench, lease.execution_id)

    await asks.look(bench.database, "w2", [lease])

    assert not lease.is_cancel_requested


async def test_a_database_that_is_silent_is_asked_again() -> None:
    silent = Silent()

    with structlog.testing.capture_logs() as logged:
        await asks.look(cast("Database", silent), "w1", [])
        await asks.look(cast("Database", silent), "w1", [])

    assert silent.count == 2
    assert [each["event"] for each in logged] == ["asks.unseen", "asks.unseen"]


async def test_a_runner_that_holds_nothing_does_not_look(bench: Bench) -> None:
    silent = Silent()
    looking = asyncio.create_task(asks.look_forever(cast("Database", silent), "w1", []))

    await asyncio.wait([looking], timeout=1.2 * asks.LOOK_EVERY.total_seconds())

    assert not looking.done()
    assert silent.count == 0
    looking.cancel()
    await asyncio.wait([looking])
