"""Executions wait without a worker: all processes may be gone and Redis empty meanwhile."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest
import redis

from promptpilot.engine.commits import Committer
from promptpilot.models import Execution, StepExecution
from promptpilot.models.database import Database
from tests.crash.answers import choice_for
from tests.crash.histories import requests_as_effects
from tests.crash.invariants import violations
from tests.crash.load import Load, make_load
from tests.crash.plans import waiting
from tests.support.hostile.process import HostileProcess
from tests.support.installation import Installation
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(240)]

_EACH = 100
_WAIT_SECONDS = 15
_WITHIN_SECONDS = 60.0


@pytest.fixture
async def load(database: Database, committer: Committer, receiver: HostileProcess) -> Load:
    """Give a workflow whose executions wait in the way that their input names."""
    return await make_load(database, committer, waiting(receiver, _WAIT_SECONDS))


@pytest.fixture
async def wakes(
    installation: Installation, load: Load, redis_server: RedisServer
) -> dict[str, datetime]:
    """Give when each of 300 executions goes on, by its id; no process and no ring is left."""
    for kind in ("DELAY", "DECISION", "WEBHOOK"):
        await load.launch(_EACH, kind)
    installation.start("worker")
    await wait_until(_all_wait, _WITHIN_SECONDS)
    installation.kill_all()
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    rows = await StepExecution.filter(status="WAITING")
    return {row.execution_id: row.wake_at for row in rows if row.wake_at}


async def test_three_hundred_that_wait_go_on_in_time_after_all_workers_and_redis_were_lost(
    wakes: dict[str, datetime], installation: Installation, load: Load, receiver: HostileProcess
) -> None:
    held = await load.held()
    await load.answer()
    installation.start("worker")
    await load.finish(_WITHIN_SECONDS)

    ends = await _ends()
    assert held == {}
    assert set((await load.statuses()).values()) == {"COMPLETED"}
    assert await violations(requests_as_effects(receiver.requests())) == []
    assert len(wakes) == len(ends) == 3 * _EACH
    assert {each for each in wakes if ends[each] < wakes[each]} == await _answered()


async def _all_wait() -> bool:
    found = await Execution.filter(status="WAITING").values_list("wait_reason", flat=True)
    return Counter(found) == dict.fromkeys(("DELAY", "DECISION", "RETRY"), _EACH)


async def _ends() -> dict[str, datetime]:
    """Return when the step that waited ended, by execution."""
    steps = await StepExecution.exclude(status="SKIPPED")
    return {step.execution_id: step.finished_at for step in steps if step.finished_at}


async def _answered() -> set[str]:
    """Return the executions that a person let go on before their time was up."""
    steps = await StepExecution.filter(step_type="DECISION").exclude(status="SKIPPED")
    return {step.execution_id for step in steps if choice_for(step.execution_id)}
