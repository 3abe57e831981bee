"""A worker may be killed at any moment: nothing is lost, nothing committed is repeated."""

from __future__ import annotations

import pytest

from tests.crash.havoc import SEED, Havoc, kills_for_each_database
from tests.crash.invariants import violations
from tests.crash.load import Load
from tests.support.effects import repeats
from tests.support.installation import Installation

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(600)]

_TIMES_ALL = 3
_WITHIN_SECONDS = 90


@pytest.fixture
def havoc(installation: Installation, load: Load, seed: int) -> Havoc:
    """Give somebody who kills three workers."""
    installation.start_workers(3)
    return Havoc(installation, load, seed)


@pytest.mark.parametrize("seed", [SEED])
async def test_workers_killed_at_random_under_load_lose_and_repeat_nothing(
    havoc: Havoc, installation: Installation, load: Load
) -> None:
    for _ in range(kills_for_each_database()):
        await havoc.kill_one()
    await load.finish(_WITHIN_SECONDS)

    assert await violations(installation.effects()) == []
    assert set((await load.statuses()).values()) == {"COMPLETED"}
    assert 0 < repeats(installation.effects()) <= havoc.in_flight + havoc.lost_leases


@pytest.mark.parametrize("seed", [SEED])
async def test_all_processes_killed_at_once_again_and_again_lose_and_repeat_nothing(
    havoc: Havoc, installation: Installation, load: Load
) -> None:
    for _ in range(_TIMES_ALL):
        await havoc.kill_all()
    await load.finish(_WITHIN_SECONDS)

    assert await violations(installation.effects()) == []
    assert set((await load.statuses()).values()) == {"COMPLETED"}
    assert 0 < repeats(installation.effects()) <= havoc.in_flight + havoc.lost_leases
