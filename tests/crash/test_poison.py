"""An execution that kills its workers is tried alone and given up; its neighbours are not."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from promptpilot import watchdog
from promptpilot.models import DeadLetter, Execution
from tests.crash.invariants import violations
from tests.crash.load import Load
from tests.support.effects import POISONED_PATH, Manner
from tests.support.installation import Installation
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(240)]

_INNOCENT = 27
_POISONOUS = 3
_HANGING = 1
_MOST_DEATHS = 3
_EXIT_CODES = {-signal.SIGKILL: _POISONOUS, watchdog.EXIT_CODE: _HANGING}


@pytest.fixture
async def poisonous(installation: Installation, load: Load) -> set[str]:
    """Give executions that killed or blocked their workers, after all others have ended."""
    guilty = await load.launch(_POISONOUS, Manner.POISON)
    guilty += await load.launch(_HANGING, Manner.HANG)
    await load.launch(_INNOCENT)
    installation.start_workers(2)

    async def is_done() -> bool:
        installation.restart_dead()
        return await load.is_done()

    await wait_until(is_done, 120)
    return set(guilty)


async def test_exactly_the_executions_that_kill_their_workers_are_given_up_after_three_deaths(
    poisonous: set[str], installation: Installation, load: Load
) -> None:
    statuses = await load.statuses()
    errors = [row.error or {} for row in await Execution.filter(id__in=poisonous)]

    assert Counter(statuses.values()) == {"COMPLETED": _INNOCENT, "FAILED": len(poisonous)}
    assert {key for key, status in statuses.items() if status == "FAILED"} == poisonous
    assert {error["code"] for error in errors} == {"DEAD_LETTERED"}
    assert Counter(error["details"]["exitCode"] for error in errors) == _EXIT_CODES
    assert {row.execution_id for row in await DeadLetter.all()} == poisonous
    assert max(_deaths(installation, poisonous).values()) <= _MOST_DEATHS
    assert await violations(installation.effects()) == []


def _deaths(installation: Installation, poisonous: set[str]) -> Counter[str]:
    """Count the processes that each poisonous execution killed."""
    effects = installation.effects()
    return Counter(
        each.execution_id
        for each in effects
        if each.execution_id in poisonous and each.path == POISONED_PATH
    )
