"""What a person may do to an execution from outside: cancel it, hold it and let it go on.

A RUNNING execution gets a request: its holder stops it within a second, or pauses it before its
next step. Every other one changes at once. Asking again changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.interventions import Interventions
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
    """Cancels, pauses and resumes executions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._moves = Interventions(database, clock)

    async def cancel(self, workspace_id: str, execution_id: str, reason: str | None) -> None:
        """Cancel at once, or ask the holder to; asking again changes nothing.

        Raises `NotFound`, also for another workspace's, `InvalidStatus` when it is final, and
        `InvalidInput` for a reason that cannot be stored.
        """
        check_json(reason, ("input", "reason"))
        status = await self._apply(
            execution_id, lambda: self._cancel(workspace_id, execution_id, reason)
        )
        _refuse(status, FINAL - {ExecutionStatus.CANCELLED}, "cancelled")

    async def pause(self, workspace_id: str, execution_id: str) -> None:
        """Hold an execution at its next step boundary; its timers keep their instants.

        Raises `NotFound`, also for another workspace's, and `InvalidStatus` when it is final.
        """
        status = await self._apply(
            execution_id, lambda: self._moves.pause(workspace_id, execution_id)
        )
        _refuse(status, FINAL, "paused")

    async def resume(self, workspace_id: str, execution_id: str) -> None:
        """Let a paused execution go on, or withdraw the request to pause it.

        Raises `NotFound`, also for another workspace's, and `InvalidStatus` when it is final.
        """
        status = await self._apply(
            execution_id, lambda: self._moves.resume(workspace_id, execution_id)
        )
        _refuse(status, FINAL, "resumed")

    async def cancel_all(self, workflow_id: str) -> list[str]:
        """Cancel every unfinished execution of a workflow; return their ids."""
        cancelled: list[str] = []
        while True:
            after = cancelled[-1] if cancelled else ""
            rows = await self._database.fetch(_PAGE, workflow_id, after)
            for row in rows:
                await self._cancel_for_good(row["workspace_id"], row["id"])
            if not rows:
                return cancelled
            cancelled += [row["id"] for row in rows]

    async def unfinished_count(self, workflow_id: str) -> int:
        """Return how many executions of a workflow are not final."""
        rows = await self._database.fetch(_COUNT, workflow_id)
        return int(rows[0]["count"])

    async def _cancel_for_good(self, workspace_id: str, execution_id: str) -> None:
        reason = "The workflow was deleted."
        await self._database.retry(lambda: self._cancel(workspace_id, execution_id, reason))

    async def _apply(
        self, execution_id: str, move: Callable[[], Awaitable[ExecutionStatus | None]]
    ) -> ExecutionStatus:
        """Make a move; return the status that it found. Raises `NotFound`."""
        status = None
        if ids.is_id(execution_id, ids.Kind.EXECUTION):
            status = await self._database.retry(move)
        if status is None:
            raise NotFound("There is no such execution.", execution_id, ("input", "id"))
        return status

    async def _cancel(
        self, workspace_id: str, execution_id: str, reason: str | None
    ) -> ExecutionStatus | None:
        """Return the status that was found; None when there is no such execution."""
        cut = reason[:_MAX_REASON_LENGTH] if reason else None
        return await self._moves.cancel(workspace_id, execution_id, cut)


def _refuse(status: ExecutionStatus, refused: frozenset[ExecutionStatus], what: str) -> None:
    if status in refused:
        message = f"The execution is {status} already and cannot be {what}."
        raise InvalidStatus(message, status, ("input", "id"))
