"""Proves that a holder stops in time: before its lease may be over, by its own clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest

from promptpilot.engine import lease as leases
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Renewal, Renewed
from promptpilot.engine.lease import Lease, beat, beat_forever, monotonic
from promptpilot.errors import LeaseLost, Unavailable
from tests.support.clock import ManualClock
from tests.support.ledgers import made_claimed, opening

LENGTH = timedelta(seconds=15)
HELD = Renewed(is_cancel_requested=False, is_pause_requested=False)
CANCEL = Renewed(is_cancel_requested=True, is_pause_requested=False)


class LoopClock:
    """The loop's clock, moved by the test."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the instant it was moved to."""
        return self.seconds


@pytest.fixture
def loop_clock(monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """Give the clock that leases read."""
    made = LoopClock()
    monkeypatch.setattr(leases, "monotonic", made)
    return made


@pytest.fixture
def lease(loop_clock: LoopClock) -> Lease:
    """Give a lease, counted from now."""
    return Lease(made_claimed(), LENGTH, loop_clock.seconds)


async def hold(committer: Committer, count: int) -> list[Lease]:
    """Give the leases of executions that are really held."""
    for _ in range(count):
        await committer.open(opening())
    claims = await committer.claim("w1", count, 15_000)
    return [Lease(each, LENGTH, monotonic()) for each in claims]


async def _work_for_ever() -> None:
    await asyncio.Event().wait()


async def work_until_cancelled(lease: Lease) -> asyncio.Task[None]:
    """Let a task work under the lease."""
    lease.task = task = asyncio.create_task(_work_for_ever())
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("seconds", [0, 13])
def test_effects_may_start_while_the_lease_is_sure(
    lease: Lease, loop_clock: LoopClock, seconds: float
) -> None:
    loop_clock.seconds += seconds

    lease.check()


@pytest.mark.parametrize("seconds", [13.01, 20])
def test_no_effect_starts_within_two_seconds_of_the_end(
    lease: Lease, loop_clock: LoopClock, seconds: float
) -> None:
    loop_clock.seconds += seconds

    with pytest.raises(LeaseLost, match="ex_1"):
        lease.check()


def test_a_short_lease_has_a_margin_of_a_third(loop_clock: LoopClock) -> None:
    short = Lease(made_claimed(), timedelta(seconds=3), loop_clock.seconds)

    loop_clock.seconds += 2
    short.check()
    loop_clock.seconds += 0.01
    with pytest.raises(LeaseLost):
        short.check()


def test_an_answered_beat_counts_from_when_it_was_sent(lease: Lease, loop_clock: LoopClock) -> None:
    sent_at = loop_clock.seconds
    loop_clock.seconds += 10
    lease.note(HELD, sent_at + 5)

    assert lease.counts_from == sent_at + 5
    loop_clock.seconds = sent_at + 5 + 13
    lease.check()


async def test_a_refused_beat_is_the_end(lease: Lease) -> None:
    task = await work_until_cancelled(lease)

    lease.note(None, 0)

    assert lease.is_lost
    assert task.cancelling()
    with pytest.raises(LeaseLost):
        lease.check()


async def test_silence_is_the_end_only_after_the_deadline(
    lease: Lease, loop_clock: LoopClock
) -> None:
    task = await work_until_cancelled(lease)

    lease.note_silence()
    assert not lease.is_lost
    loop_clock.seconds += 15.01
    lease.note_silence()

    assert lease.is_lost
    assert task.cancelling()


async def test_a_wish_to_cancel_interrupts_once(lease: Lease) -> None:
    task = await work_until_cancelled(lease)

    lease.note(CANCEL, 0)
    lease.note(CANCEL, 0)

    assert lease.is_cancel_requested
    assert not lease.is_lost
    assert task.cancelling() == 1


def test_a_lease_without_a_task_only_remembers(lease: Lease) -> None:
    lease.note(CANCEL, 0)

    assert lease.is_cancel_requested


async def test_one_beat_prolongs_all_leases(committer: Committer, clock: ManualClock) -> None:
    held = await hold(committer, 2)
    clock.move(seconds=14)

    await beat(committer, held)
    clock.move(seconds=14)

    assert await committer.claim("w2", 10, 15_000) == []


async def test_a_beat_tells_each_lease_what_came_of_it(
    committer: Committer, clock: ManualClock
) -> None:
    (lease,) = await hold(committer, 1)
    clock.move(seconds=15)
    (again,) = await committer.claim("w2", 1, 15_000)
    fresh = Lease(again, LENGTH, monotonic())

    await beat(committer, [lease, fresh])

    assert (lease.is_lost, fresh.is_lost) == (True, False)


class SilentCommitter(Committer):
    """A committer whose database is away; it counts the beats."""

    def __init__(self) -> None:
        self.beats = 0
        self.has_beaten = asyncio.Event()

    async def renew(self, renewals: Sequence[Renewal]) -> list[Renewed | None]:
        """Count, and give up."""
        self.beats += 1
        if self.beats == 3:
            self.has_beaten.set()
        raise Unavailable("away")


async def test_without_an_answer_a_lease_holds_until_its_deadline(
    lease: Lease, loop_clock: LoopClock
) -> None:
    silent = SilentCommitter()

    await beat(silent, [lease])
    assert not lease.is_lost
    loop_clock.seconds += 16
    await beat(silent, [lease])

    assert lease.is_lost


async def test_beats_go_on_three_times_a_lease(lease: Lease) -> None:
    silent = SilentCommitter()
    beating = asyncio.create_task(beat_forever(silent, [lease], timedelta(milliseconds=3)))

    async with asyncio.timeout(5):
        await silent.has_beaten.wait()

    assert not beating.done()
    beating.cancel()


def test_the_clock_of_leases_is_the_machines() -> None:
    assert monotonic() == pytest.approx(time.monotonic(), abs=1)


async def test_an_effect_begins_at_once_while_the_lease_is_sure(lease: Lease) -> None:
    await lease.hold_or_hang()

    assert not lease.is_lost


async def test_an_effect_that_comes_too_late_is_cancelled_with_its_task(
    lease: Lease, loop_clock: LoopClock
) -> None:
    loop_clock.seconds += 14
    lease.task = asyncio.create_task(lease.hold_or_hang())

    await asyncio.wait([lease.task], timeout=5)

    assert lease.is_lost
    assert lease.task.cancelled()


async def test_an_effect_that_comes_too_late_without_a_task_is_refused(
    lease: Lease, loop_clock: LoopClock
) -> None:
    loop_clock.seconds += 14

    with pytest.raises(LeaseLost):
        await lease.hold_or_hang()


async def test_a_beat_after_the_last_entry_finds_nothing_and_loses_nothing(lease: Lease) -> None:
    lease.is_given_up = True

    lease.note(None, monotonic())

    assert not lease.is_lost
