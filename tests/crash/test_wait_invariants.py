"""The checker of invariants sees what may go wrong with waits, decisions and requests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptpilot.engine.commits import Committer
from promptpilot.models import StepExecution
from promptpilot.models.database import Database
from tests.crash.histories import all_effects
from tests.crash.invariants import violations
from tests.crash.load import Load, make_load
from tests.crash.plans import ONCE, every_type
from tests.support.effects import Effect
from tests.support.hostile.process import HostileProcess
from tests.support.installation import Installation

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(120)]

_MANY = 8
_HOUR_MS = 3_600_000
_HARMS = (
    "UPDATE step_executions SET wake_at = finished_at WHERE step_type = 'DELAY'",
    "UPDATE step_executions SET finished_at = finished_at - 3600000 WHERE step_type = 'DELAY'",
    "UPDATE step_attempts SET next_attempt_at = next_attempt_at + 3600000",
    "UPDATE decisions SET choice = 'later'",
    "DELETE FROM decisions",
)
#: What is said of a request that is made again, late or under another key, then of each harm.
_TOLD = (
    "what must happen once",
    "had an effect after",
    "under another key",
    "has left step",
    "ended step",
    "tried step",
    "where {'4': 'later'} were chosen",
    "where {} were chosen",
)


@pytest.fixture
async def load(database: Database, committer: Committer, receiver: HostileProcess) -> Load:
    """Give a workflow with steps of every type."""
    return await make_load(database, committer, every_type(receiver))


@pytest.fixture
async def effects(installation: Installation, load: Load, receiver: HostileProcess) -> list[Effect]:
    """Give what some executions did, that nobody disturbed."""
    await load.launch(_MANY)
    installation.start("worker")
    await load.finish(60)
    made = all_effects(installation, receiver)
    assert await violations(made) == []
    return made


async def test_repeated_late_and_foreign_requests_and_waits_that_went_wrong_are_seen(
    effects: list[Effect], database: Database
) -> None:
    once = await StepExecution.filter(step_name=ONCE, status="COMPLETED").first()
    assert once is not None
    (sent,) = [each for each in effects if each.step == (once.execution_id, once.path)]

    others = [replace(sent, at=sent.at + _HOUR_MS), replace(sent, key="another")]
    told = [" ".join(await violations([*effects, each])) for each in (sent, *others)]
    for harm in _HARMS:
        await database.execute(harm)
        told.append(" ".join(await violations(effects)))

    assert [each for each, saying in zip(told, _TOLD, strict=True) if saying not in each] == []
