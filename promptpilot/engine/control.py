"""What a person may do to an execution from outside: cancel it.

Whoever does not hold the lease changes nothing that a holder is writing: a RUNNING execution gets
a request, which its holder obeys at its next beat or step; every other one changes at once. Both
go by one guarded UPDATE, so a race has exactly one outcome.
"""

from __future__ import annotations

from promptpilot import ids
from promptpilot.clock import Clock, to_ms
from promptpilot.engine.events import EventKind
from promptpilot.engine.lifecycle import FINAL, ExecutionStatus
from promptpilot.errors import InvalidStatus, NotFound
from promptpilot.models import Execution
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database

_MAX_REASON_LENGTH = 1000

_UNFINISHED = "status IN ('PENDING', 'RUNNING', 'WAITING', 'PAUSED')"
_LOCK = "SELECT status, last_seq FROM executions WHERE id = $1 AND workspace_id = $2"
_REQUEST = """
UPDATE executions
SET cancel_requested_at = coalesce(cancel_requested_at, $2),
    cancel_reason = coalesce(cancel_reason, $3)
WHERE id = $1 AND status = 'RUNNING'
"""
_CANCEL = """
UPDATE executions
SET status = 'CANCELLED', wait_reason = NULL, ready_at = NULL, owner = NULL, current_path = NULL,
    step_started_at = NULL, attempt_started_at = NULL, finished_at = $2,
    cancel_requested_at = coalesce(cancel_requested_at, $2),
    cancel_reason = coalesce(cancel_reason, $3), last_seq = last_seq + 1
WHERE id = $1 AND status IN ('PENDING', 'WAITING', 'PAUSED')
"""
_EVENT = """
INSERT INTO execution_events (execution_id, seq, kind, at, from_status, to_status)
VALUES ($1, $2, $3, $4, $5, 'CANCELLED')
"""
_COUNT = f"SELECT count(*) AS count FROM executions WHERE workflow_id = $1 AND {_UNFINISHED}"  # noqa: S608 -- a constant
_IDS = f"SELECT id, workspace_id FROM executions WHERE workflow_id = $1 AND {_UNFINISHED} LIMIT 500"  # noqa: S608 -- a constant


class Control:
    """Cancels executions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def cancel(self, workspace_id: str, execution_id: str, reason: str | None) -> None:
        """Cancel at once, or ask the holder to; asking again changes nothing.

        Raises `NotFound`, also for another workspace's, and `InvalidStatus` when it is final.
        """
        status = None
        if ids.is_id(execution_id, ids.Kind.EXECUTION):
            status = await self._cancel(workspace_id, execution_id, reason)
        if status is None:
            raise NotFound("There is no such execution.", execution_id, ("input", "id"))
        if status in FINAL - {ExecutionStatus.CANCELLED}:
            message = f"The execution is {status} already and cannot be cancelled."
            raise InvalidStatus(message, status, ("input", "id"))

    async def cancel_all(self, workflow_id: str) -> list[str]:
        """Cancel every unfinished execution of a workflow; return their ids."""
        cancelled: dict[str, None] = {}
        while True:
            rows = await self._database.fetch(_IDS, workflow_id)
            fresh = [row for row in rows if row["id"] not in cancelled]
            for row in fresh:
                await self._cancel(row["workspace_id"], row["id"], "The workflow was deleted.")
                cancelled[row["id"]] = None
            if not fresh:
                return list(cancelled)

    async def unfinished_count(self, workflow_id: str) -> int:
        """Return how many executions of a workflow are not final."""
        rows = await self._database.fetch(_COUNT, workflow_id)
        return int(rows[0]["count"])

    async def _cancel(
        self, workspace_id: str, execution_id: str, reason: str | None
    ) -> ExecutionStatus | None:
        """Return the status that was found; None when there is no such execution."""
        cut = reason[:_MAX_REASON_LENGTH] if reason else None
        return await self._database.retry(
            lambda: self._cancel_once(workspace_id, execution_id, cut)
        )

    async def _cancel_once(
        self, workspace_id: str, execution_id: str, reason: str | None
    ) -> ExecutionStatus | None:
        now = to_ms(self._clock.now())
        lock = " FOR UPDATE" if self._database.dialect is Dialect.POSTGRES else ""
        async with self._database.transaction():
            rows = await self._database.fetch(_LOCK + lock, execution_id, workspace_id)
            if not rows:
                return None
            status = ExecutionStatus(rows[0]["status"])
            if status is ExecutionStatus.RUNNING:
                await self._database.execute(_REQUEST, execution_id, now, reason)
            elif not status.is_final:
                await self._database.execute(_CANCEL, execution_id, now, reason)
                told = (execution_id, rows[0]["last_seq"] + 1, EventKind.EXECUTION_STATUS.value)
                await self._database.execute(_EVENT, *told, now, status.value)
            return status


async def find_execution(workspace_id: str, execution_id: str) -> Execution | None:
    """Return an execution of the workspace; None for a malformed, unknown or foreign id."""
    if not ids.is_id(execution_id, ids.Kind.EXECUTION):
        return None
    return await Execution.get_or_none(id=execution_id, workspace_id=workspace_id)
