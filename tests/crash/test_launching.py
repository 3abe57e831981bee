"""A launch that was acknowledged is stored, once for its key, and is run whoever died meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from promptpilot.models import Execution
from tests.crash.api import Api
from tests.crash.load import Load
from tests.support.installation import Installation
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(240)]

_LAUNCHES = 20
_STARTED_WITHIN = timedelta(seconds=5)
_KILLS = 5
_CALLERS = 8
_LAUNCHES_EACH = 40
#: All callers together are far from done when the server is killed for the last time.
_BETWEEN_KILLS = 50


async def test_executions_of_a_server_that_died_before_it_rang_start_within_5_seconds(
    installation: Installation, api: Api, load: Load
) -> None:
    installation.start("worker")
    await wait_until(lambda: _is_ready(installation), 30)
    await api.start(REDIS_URL=f"unix://{installation.folder}/nobody-listens-here")
    acknowledged = [await api.launch(f"k{number}") for number in range(_LAUNCHES)]
    api.kill()
    await load.finish(30)

    rows = await Execution.filter(id__in=acknowledged)
    waits = [row.started_at - row.created_at for row in rows if row.started_at]
    assert len(waits) == _LAUNCHES
    assert max(waits) <= _STARTED_WITHIN


async def test_launches_with_keys_are_there_exactly_once_whenever_the_server_is_killed(
    api: Api,
) -> None:
    await api.start()
    async with asyncio.TaskGroup() as callers:
        for number in range(_CALLERS):
            callers.create_task(_launch_often(api, f"caller-{number}"))
        for kills in range(1, _KILLS + 1):
            await wait_until(partial(_has_acknowledged, api, kills * _BETWEEN_KILLS), 60)
            api.kill()
            await api.start()

    stored = [(row.idempotency_key, row.id) for row in await Execution.all()]
    assert sorted(stored) == sorted(api.acknowledged.items())
    assert len(stored) == _CALLERS * _LAUNCHES_EACH
    assert api.lost_answers > 0


async def _launch_often(api: Api, name: str) -> None:
    """Launch one after the other; ask again with the same key whenever an answer was lost."""
    for number in range(_LAUNCHES_EACH):
        await wait_until(partial(api.try_to_launch, f"{name}-{number}"), 60)


async def _has_acknowledged(api: Api, count: int) -> bool:
    return len(api.acknowledged) >= count


async def _is_ready(installation: Installation) -> bool:
    return bool(installation.lines("worker.ready"))
