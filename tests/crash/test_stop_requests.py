"""A worker that is told to end lets its requests finish, or gives them up in a way that is known.

Invariant: a request is repeated only if its step allows that, and then under the same key.
"""

from __future__ import annotations

import signal

import pytest

from promptpilot.engine.commits import Committer
from promptpilot.models import StepExecution
from promptpilot.models.database import Database
from tests.crash.havoc import SEED, Havoc
from tests.crash.histories import all_effects, interrupted
from tests.crash.invariants import violations
from tests.crash.load import Load, make_load
from tests.crash.plans import every_type
from tests.support.hostile.process import HostileProcess
from tests.support.installation import Installation

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(240)]

_TIMES = 3
_SLOTS = 8
_BUSY = 40
_END_SECONDS = 30


@pytest.fixture
async def load(database: Database, committer: Committer, receiver: HostileProcess) -> Load:
    """Give a workflow with steps of every type."""
    return await make_load(database, committer, every_type(receiver))


@pytest.fixture
def havoc(installation: Installation, load: Load, seed: int) -> Havoc:
    """Give somebody who picks a worker in the middle of something."""
    return Havoc(installation, load, seed, busy=_BUSY)


@pytest.mark.parametrize("seed", [SEED])
async def test_workers_with_time_to_end_finish_their_requests_and_repeat_none(
    havoc: Havoc, installation: Installation, load: Load, receiver: HostileProcess
) -> None:
    codes = await _restart_often(havoc)
    await load.finish(60)

    effects = all_effects(installation, receiver)
    assert codes == [0] * _TIMES
    assert await violations(effects) == []
    assert await interrupted(effects) <= havoc.lost_leases
    assert await StepExecution.filter(status="FAILED").count() <= havoc.lost_leases


@pytest.mark.parametrize("seed", [SEED])
async def test_workers_without_time_to_end_give_up_what_they_hold_and_no_more(
    havoc: Havoc, installation: Installation, load: Load, receiver: HostileProcess
) -> None:
    codes = await _restart_often(havoc, PROMPTPILOT_DRAIN_SECONDS="0")
    await load.finish(60)

    effects = all_effects(installation, receiver)
    assert codes == [0] * _TIMES
    assert await violations(effects) == []
    assert set((await load.statuses()).values()) == {"COMPLETED"}
    assert 0 < await interrupted(effects) <= _TIMES * _SLOTS + havoc.lost_leases


async def _restart_often(havoc: Havoc, **settings: str) -> list[int]:
    """Tell one of two workers to end, under load, and start another; return the exit codes."""
    havoc.installation.start("worker", **settings)
    havoc.installation.start("worker", **settings)
    codes = []
    for _ in range(_TIMES):
        worker = await havoc.pick_busy()
        worker.send(signal.SIGTERM)
        codes.append(await worker.ended(within=_END_SECONDS))
        havoc.installation.start("worker", **settings)
    return codes
