"""Counts how often in a row a trigger's executions failed, and pauses a schedule that only fails.

Rules: COMPLETED starts the count anew, FAILED adds one, CANCELLED says nothing. Each end is counted
in the transaction that takes it off its execution, so once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptpilot.clock import Clock, to_ms
from promptpilot.engine.lifecycle import ExecutionStatus
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.json_values import load_json
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database

_MAX_MESSAGE: Final = 300
_FIND: Final = """
SELECT id, type, config, is_active, consecutive_failures FROM triggers
WHERE id IN ({ids}) ORDER BY id
"""
_COUNT: Final = "UPDATE triggers SET consecutive_failures = $2 WHERE id = $1"
_PAUSE: Final = """
UPDATE triggers SET is_active = $2, next_run_at = NULL, paused_reason = $3,
    revision = revision + 1, updated_at = $4
WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class End:
    """How an execution of a trigger ended."""

    trigger_id: str
    status: ExecutionStatus
    error: Mapping[str, Any] | None


class Failures:
    """Keeps the counts of failures in a row."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        is_shared = database.dialect is Dialect.POSTGRES
        self._find = _FIND + ("FOR UPDATE" if is_shared else "")

    async def count(self, ends: Sequence[End]) -> None:
        """Count the ends, in order. Call it in the transaction that marks them as told."""
        by_trigger: dict[str, list[End]] = defaultdict(list)
        for end in ends:
            if end.status is not ExecutionStatus.CANCELLED:
                by_trigger[end.trigger_id].append(end)
        if not by_trigger:
            return
        places = ", ".join(f"${number}" for number in range(1, len(by_trigger) + 1))
        for row in await self._database.fetch(self._find.format(ids=places), *by_trigger):
            await self._count_one(row, by_trigger[row["id"]])

    async def _count_one(self, row: Mapping[str, Any], ends: Sequence[End]) -> None:
        before = count = row["consecutive_failures"]
        limit = _limit(row)
        reason = None
        for end in ends:
            count = count + 1 if end.status is ExecutionStatus.FAILED else 0
            if limit is not None and count >= limit and reason is None:
                reason = _reason(count, end)
        if count != before:
            await self._database.execute(_COUNT, row["id"], count)
        if reason is not None:
            now = to_ms(self._clock.now())
            await self._database.execute(_PAUSE, row["id"], False, reason, now)  # noqa: FBT003 -- a column


def _limit(row: Mapping[str, Any]) -> int | None:
    """Return after how many failures in a row the trigger is paused; None if it is not."""
    if row["type"] != TriggerType.SCHEDULED or not row["is_active"]:
        return None
    limit: int | None = load_json(row["config"])["pause_after_failures"]
    return limit


def _reason(count: int, end: End) -> str:
    error = end.error or {}
    message = str(error.get("message", ""))[:_MAX_MESSAGE]
    times = "time" if count == 1 else "times"
    return (
        f"Its executions failed {count} {times} in a row; the last error was "
        f"{error.get('code')}: {message}"
    )
