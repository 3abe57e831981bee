"""Rings for what is due and was not taken: nobody may wait because a bell was lost.

Sweeping claims nothing: it hands the execution to the workers by the same bell as a launch, so any
number of sweepers is harmless.
"""

from __future__ import annotations

from promptpilot.engine.ports import Waker
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database
from promptpilot.models.database_time import NOW_MS

_LIMIT = 500
_RING_AGAIN_MS = 15_000

_SKIP = {Dialect.POSTGRES: "FOR UPDATE SKIP LOCKED", Dialect.SQLITE: ""}

_SWEEP = """
UPDATE executions SET dispatched_at = {now} WHERE id IN (
    SELECT id FROM executions
    WHERE status IN ('PENDING', 'RUNNING', 'WAITING') AND ready_at <= {now}
        AND (dispatched_at < ready_at OR dispatched_at <= {now} - $1)
    ORDER BY priority DESC, ready_at LIMIT $2 {skip})
"""
_DUE = """
SELECT 1 AS due FROM executions
WHERE status IN ('PENDING', 'RUNNING', 'WAITING') AND ready_at <= {now}
    AND (dispatched_at < ready_at OR dispatched_at <= {now} - $1)
ORDER BY ready_at LIMIT 1
"""
_REDELIVER = """
UPDATE executions SET dispatched_at = 0
WHERE status IN ('PENDING', 'RUNNING', 'WAITING') AND ready_at IS NOT NULL AND dispatched_at > 0
"""


class Sweeper:
    """Looks for due executions nobody was rung for. Any number may sweep at any time."""

    def __init__(self, database: Database, waker: Waker) -> None:
        self._database = database
        self._waker = waker
        words = {"now": NOW_MS[database.dialect], "skip": _SKIP[database.dialect]}
        self._due = _DUE.format(**words)
        self._sweep = _SWEEP.format(**words)

    async def sweep(self) -> int:
        """Ring if something is due and was not rung for; return for how many executions."""
        # Looking is cheap and takes no lock; only what is found is written down.
        if not await self._database.fetch(self._due, _RING_AGAIN_MS):
            return 0
        found = await self._database.retry(
            lambda: self._database.execute(self._sweep, _RING_AGAIN_MS, _LIMIT)
        )
        if found:
            self._waker.wake()
        return found

    async def redeliver_all(self) -> None:
        """Forget every ring, because Redis has: what is due is rung for again."""
        await self._database.retry(lambda: self._database.execute(_REDELIVER))
