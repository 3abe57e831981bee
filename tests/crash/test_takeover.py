"""What a killed worker held is taken over soon after its lease has run out."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from tests.crash.load import Load
from tests.support.effects import Manner
from tests.support.installation import Installation, Process
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(120)]

_COUNT = 8
_BAR_SECONDS = 17.0


async def test_executions_of_a_killed_worker_go_on_within_17_seconds_under_the_default_lease(
    installation: Installation, load: Load
) -> None:
    victim = installation.start("worker", PROMPTPILOT_LEASE_SECONDS="15")
    await load.launch(_COUNT, Manner.SLOW)
    await wait_until(lambda: _holds_all(load, victim), 30)
    installation.start("worker", PROMPTPILOT_LEASE_SECONDS="15")
    victim.kill()
    killed_at = time.time()

    await wait_until(lambda: _are_taken_over(installation, victim), 30)

    waits = [at / 1000 - killed_at for at in _takeovers(installation, victim).values()]
    assert max(waits) <= _BAR_SECONDS


async def _holds_all(load: Load, worker: Process) -> bool:
    return await load.held_by([worker.pid]) == _COUNT


async def _are_taken_over(installation: Installation, victim: Process) -> bool:
    return len(_takeovers(installation, victim)) == _COUNT


def _takeovers(installation: Installation, victim: Process) -> Mapping[str, int]:
    """Return when each execution had its first effect by another process, in milliseconds."""
    first: dict[str, int] = {}
    for effect in installation.effects():
        if effect.pid != victim.pid:
            first.setdefault(effect.execution_id, effect.at)
    return first
