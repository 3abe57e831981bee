"""Proves that a holder writes whole entries, learns what is asked, and stops when it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from promptpilot.engine.holder import Holder
from promptpilot.engine.lease import Lease, monotonic
from promptpilot.engine.ledger import Entry
from promptpilot.engine.ledger_rows import AttemptMark, Wait
from promptpilot.engine.lifecycle import WaitReason
from promptpilot.errors import LeaseLost
from tests.support.bench import Bench
from tests.support.drafts import transform
from tests.support.ledgers import place
from tests.support.models import workflow
from tests.support.waits import cancel, pause, resume

SIMPLE = workflow(transform("a"), transform("b"))
LENGTH = timedelta(seconds=15)


async def holding(bench: Bench) -> tuple[Holder, Lease]:
    """Launch and claim an execution; return who writes for it."""
    await bench.launch(SIMPLE)
    claimed = await bench.claim()
    lease = Lease(claimed, LENGTH, monotonic())
    return Holder(claimed, lease, bench.tools, lambda: False), lease


def begins(holder: Holder) -> Entry:
    """Make the entry that begins the first step."""
    entry = holder.entry()
    entry.begin_step(place(0), 1, None)
    return entry


def parks(holder: Holder) -> Entry:
    """Make the entry that parks the execution in its first step."""
    entry = holder.entry()
    entry.park(place(0), AttemptMark(1, 0, 0), Wait(WaitReason.DELAY, in_ms=1000))
    return entry


async def test_an_entry_is_numbered_after_the_one_before(bench: Bench) -> None:
    holder, _ = await holding(bench)

    await holder.record(begins(holder))
    await holder.record(parks(holder))

    row = await bench.stored(holder.entry().id)
    assert (row.status, holder.entry().last_seq) == ("WAITING", row.last_seq)


async def test_an_entry_is_committed_although_its_task_is_cancelled(bench: Bench) -> None:
    holder, _ = await holding(bench)
    task = asyncio.create_task(holder.record(begins(holder)))
    await asyncio.sleep(0)
    task.cancel()

    recorded = await task

    assert recorded.last_seq == (await bench.stored(holder.entry().id)).last_seq == 3
    assert holder.must_stop


@pytest.mark.parametrize("make", [begins, parks])
async def test_what_is_asked_meanwhile_is_learned_and_nothing_written(
    bench: Bench, make: Callable[[Holder], Entry]
) -> None:
    holder, lease = await holding(bench)
    await cancel(bench, lease.execution_id)

    assert await holder.try_record(make(holder)) is None

    assert (lease.is_cancel_requested, holder.must_stop) == (True, True)
    assert await bench.story(lease.execution_id) == ["PENDING", "RUNNING"]


async def test_a_withdrawn_pause_is_learned_too(bench: Bench) -> None:
    holder, lease = await holding(bench)
    lease.is_pause_requested = True
    entry = holder.entry()
    entry.pause()

    assert await holder.try_record(entry) is None

    assert not lease.is_pause_requested


async def test_what_is_made_again_is_what_is_asked_by_then(bench: Bench) -> None:
    holder, lease = await holding(bench)
    await pause(bench, lease.execution_id)
    made: list[bool] = []

    def as_asked() -> Entry:
        made.append(lease.is_pause_requested)
        if not lease.is_pause_requested:
            return parks(holder)
        entry = holder.entry()
        entry.pause()
        return entry

    await holder.record_as_asked(as_asked)

    assert made == [False, True]
    assert (await bench.stored(lease.execution_id)).status == "PAUSED"


async def test_a_holder_that_is_asked_otherwise_without_end_gives_up(bench: Bench) -> None:
    holder, lease = await holding(bench)
    await pause(bench, lease.execution_id)

    with pytest.raises(LeaseLost):
        await holder.record_as_asked(lambda: parks(holder))

    assert (await bench.stored(lease.execution_id)).status == "RUNNING"


async def test_a_lost_lease_is_told_apart_from_what_is_asked(bench: Bench) -> None:
    holder, _ = await holding(bench)
    bench.clock.move(seconds=15)
    await bench.claim("w2")

    with pytest.raises(LeaseLost):
        await holder.try_record(parks(holder))


async def test_a_look_leaves_alone_what_is_not_asked(bench: Bench) -> None:
    holder, lease = await holding(bench)
    await pause(bench, lease.execution_id)
    await resume(bench, lease.execution_id)

    await holder.look()

    assert (lease.is_pause_requested, lease.is_cancel_requested) == (False, False)


async def test_what_fails_undisturbed_fails_as_it_is(bench: Bench) -> None:
    holder, _ = await holding(bench)

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await holder.undisturbed(fail())
