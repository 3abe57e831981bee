"""A worker may be killed at any moment: nothing is lost, nothing committed is repeated.

The executions have steps of every type and every kind of wait, and make requests to a server that
remembers them.
"""

from __future__ import annotations

from collections import Counter

import pytest

from promptpilot.engine.commits import Committer
from promptpilot.models import StepExecution
from promptpilot.models.database import Database
from tests.crash.havoc import SEED, Havoc, kills_for_each_database
from tests.crash.histories import all_effects, interrupted
from tests.crash.invariants import violations
from tests.crash.load import Load, make_load
from tests.crash.plans import every_type
from tests.support.hostile.process import HostileProcess
from tests.support.installation import Installation

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(600)]

_TIMES_ALL = 3
_WITHIN_SECONDS = 90


@pytest.fixture
async def load(database: Database, committer: Committer, receiver: HostileProcess) -> Load:
    """Give a workflow with steps of every type."""
    return await make_load(database, committer, every_type(receiver))


@pytest.fixture
def havoc(installation: Installation, load: Load, seed: int) -> Havoc:
    """Give somebody who kills three workers."""
    installation.start_workers(3)
    return Havoc(installation, load, seed)


@pytest.mark.parametrize("seed", [SEED])
async def test_workers_killed_at_random_under_load_lose_and_repeat_nothing(
    havoc: Havoc, installation: Installation, load: Load, receiver: HostileProcess
) -> None:
    for _ in range(kills_for_each_database()):
        await havoc.kill_one()
    await load.finish(_WITHIN_SECONDS)

    effects = all_effects(installation, receiver)
    assert await violations(effects) == []
    assert set((await load.statuses()).values()) == {"COMPLETED"}
    assert set(await _ways_of_deciding()) == {"PERSON", "TIMEOUT"}
    assert 0 < await interrupted(effects) <= havoc.in_flight + havoc.lost_leases


@pytest.mark.parametrize("seed", [SEED])
async def test_all_processes_killed_at_once_again_and_again_lose_and_repeat_nothing(
    havoc: Havoc, installation: Installation, load: Load, receiver: HostileProcess
) -> None:
    for _ in range(_TIMES_ALL):
        await havoc.kill_all()
    await load.finish(_WITHIN_SECONDS)

    effects = all_effects(installation, receiver)
    assert await violations(effects) == []
    assert set((await load.statuses()).values()) == {"COMPLETED"}
    assert 0 < await interrupted(effects) <= havoc.in_flight + havoc.lost_leases


async def _ways_of_deciding() -> Counter[str]:
    """Return how often DECISION steps went on for which reason."""
    steps = await StepExecution.filter(step_type="DECISION", status="COMPLETED")
    return Counter(step.output["how"] for step in steps)
