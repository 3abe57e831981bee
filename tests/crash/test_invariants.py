"""The checker of invariants sees what it is there for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptpilot.models.database import Database
from tests.crash.invariants import violations
from tests.crash.load import Load
from tests.support.effects import Effect
from tests.support.installation import Installation

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(120)]

_LOSE_AN_EVENT = "DELETE FROM execution_events WHERE seq = 3"
_LOSE_A_STEP = "DELETE FROM step_executions WHERE path = '5'"


@pytest.fixture
async def effects(installation: Installation, load: Load) -> list[Effect]:
    """Give what two executions did, that nobody disturbed."""
    await load.launch(2)
    installation.start("worker")
    await load.finish(30)
    made = installation.effects()
    assert await violations(made) == []
    return made


async def test_late_repeated_and_forgotten_effects_and_lost_rows_are_seen(
    effects: list[Effect], database: Database
) -> None:
    late = replace(effects[-1], attempt=2, at=effects[-1].at + 10_000)

    assert len(await violations([*effects, late])) == 1
    assert len(await violations([*effects, effects[-1]])) == 1
    assert len(await violations(effects[:-1])) == 1
    assert await violations(effects, expected=["ex_unknown"]) == ["ex_unknown is not there"]
    await database.execute(_LOSE_A_STEP)
    assert len(await violations(effects)) == 3 * 2
    await database.execute(_LOSE_AN_EVENT)
    assert len(await violations(effects)) > 3 * 2
