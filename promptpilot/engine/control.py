"""What a person may do to an execution from outside: cancel it.

A RUNNING execution gets a request, which its holder obeys at its next beat or step; every other
one changes at once.
"""

from __future__ import annotations

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine import ledger
from promptpilot.engine.lifecycle import FINAL, ExecutionStatus
from promptpilot.errors import InvalidStatus, NotFound
from promptpilot.models.columns import check_json
from promptpilot.models.database import Database

_MAX_REASON_LENGTH = 1000

_UNFINISHED = "status IN ('PENDING', 'RUNNING', 'WAITING', 'PAUSED')"
_COUNT = f"SELECT count(*) AS count FROM executions WHERE workflow_id = $1 AND {_UNFINISHED}"  # noqa: S608 -- a constant
_PAGE = f"""
SELECT id, workspace_id FROM executions
WHERE workflow_id = $1 AND id > $2 AND {_UNFINISHED} ORDER BY id LIMIT 200
"""  # noqa: S608 -- a constant


class Control:
    """Cancels executions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def cancel(self, workspace_id: str, execution_id: str, reason: str | None) -> None:
        """Cancel at once, or ask the holder to; asking again changes nothing.

        Raises `NotFound`, also for another workspace's, `InvalidStatus` when it is final, and
        `InvalidInput` for a reason that cannot be stored.
        """
        check_json(reason, ("input", "reason"))
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
        cancelled: list[str] = []
        while True:
            after = cancelled[-1] if cancelled else ""
            rows = await self._database.fetch(_PAGE, workflow_id, after)
            for row in rows:
                await self._cancel(row["workspace_id"], row["id"], "The workflow was deleted.")
            if not rows:
                return cancelled
            cancelled += [row["id"] for row in rows]

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
            lambda: ledger.cancel_from_outside(
                self._database, self._clock, workspace_id, execution_id, cut
            )
        )
