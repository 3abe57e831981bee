"""People pause, resume, cancel and decide while workers are killed: one legal end for each."""

from __future__ import annotations

import pytest

from promptpilot.engine.commits import Committer
from promptpilot.engine.lifecycle import ExecutionStatus
from promptpilot.models import ExecutionEvent
from promptpilot.models.database import Database
from tests.crash.havoc import SEED, Havoc
from tests.crash.histories import all_effects
from tests.crash.invariants import violations
from tests.crash.load import Load, make_load
from tests.crash.people import People, ended_as
from tests.crash.plans import every_type
from tests.support.hostile.process import HostileProcess
from tests.support.installation import Installation
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(240)]

_KILLS = 4
_BETWEEN_KILLS = 20
_WITHIN_SECONDS = 60.0


@pytest.fixture
async def load(database: Database, committer: Committer, receiver: HostileProcess) -> Load:
    """Give a workflow with steps of every type."""
    return await make_load(database, committer, every_type(receiver))


@pytest.fixture
def havoc(installation: Installation, load: Load, seed: int) -> Havoc:
    """Give somebody who kills two workers."""
    installation.start_workers(2)
    return Havoc(installation, load, seed)


@pytest.fixture
def people(database: Database, load: Load, seed: int) -> People:
    """Give people who interfere with the executions."""
    return People(database, load.principal, seed)


@pytest.mark.parametrize("seed", [SEED])
async def test_what_people_ask_for_while_workers_are_killed_has_one_legal_outcome(
    havoc: Havoc, people: People, installation: Installation, receiver: HostileProcess
) -> None:
    for _ in range(_KILLS):
        await havoc.kill_one()
        await people.interfere(_BETWEEN_KILLS)
    await wait_until(lambda: _is_over(havoc.load, people), _WITHIN_SECONDS)

    cancelled, completed = [await ended_as(each) for each in _ENDS]
    assert await violations(all_effects(installation, receiver)) == []
    assert cancelled <= people.cancelled
    assert cancelled | completed == set(await havoc.load.statuses())
    assert await _were_paused() & completed


_ENDS = (ExecutionStatus.CANCELLED, ExecutionStatus.COMPLETED)


async def _is_over(load: Load, people: People) -> bool:
    return not await people.resume_all() and await load.is_done()


async def _were_paused() -> set[str]:
    """Return the executions that were paused at some time."""
    events = await ExecutionEvent.filter(to_status=ExecutionStatus.PAUSED.value)
    return {event.execution_id for event in events}
