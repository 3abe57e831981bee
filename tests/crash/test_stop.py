"""A worker that is stopped writes nothing late, and one that is told to end repeats nothing."""

from __future__ import annotations

import signal

import pytest

from tests.crash.havoc import SEED, Havoc
from tests.crash.invariants import violations
from tests.crash.load import Load
from tests.support.effects import repeats
from tests.support.installation import Installation
from tests.support.waiting import pass_time

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(240)]

_TIMES = 3
_BUSY = 12
_LEASE_AND_A_HALF_SECONDS = 3.0
_DRAIN_SECONDS = 30


@pytest.fixture
def havoc(installation: Installation, load: Load, seed: int) -> Havoc:
    """Give somebody who picks from two workers with room for what the other one leaves."""
    installation.start_workers(2)
    return Havoc(installation, load, seed, busy=_BUSY)


@pytest.mark.parametrize("seed", [SEED])
async def test_a_worker_stopped_for_one_and_a_half_leases_does_nothing_late(
    havoc: Havoc, installation: Installation, load: Load
) -> None:
    for _ in range(_TIMES):
        worker = await havoc.pick_busy()
        worker.send(signal.SIGSTOP)
        await pass_time(_LEASE_AND_A_HALF_SECONDS)
        worker.send(signal.SIGCONT)
    await load.finish(60)

    assert await violations(installation.effects()) == []
    assert set((await load.statuses()).values()) == {"COMPLETED"}
    assert 0 < repeats(installation.effects()) <= havoc.lost_leases


@pytest.mark.parametrize("seed", [SEED])
async def test_workers_told_to_end_under_load_exit_with_0_and_repeat_nothing(
    havoc: Havoc, installation: Installation, load: Load
) -> None:
    codes = []
    for _ in range(_TIMES):
        worker = await havoc.pick_busy()
        worker.send(signal.SIGTERM)
        codes.append(await worker.ended(within=_DRAIN_SECONDS))
        havoc.in_flight += await load.held_by([worker.pid])
        installation.start("worker")
    await load.finish(60)

    assert codes == [0] * _TIMES
    assert havoc.in_flight == 0
    assert await violations(installation.effects()) == []
    assert repeats(installation.effects()) <= havoc.lost_leases
