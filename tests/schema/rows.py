"""Rows that the database accepts, for lists whose makers do not matter."""

from __future__ import annotations

from typing import Any

from promptpilot import ids
from promptpilot.clock import from_ms
from promptpilot.engine.principal import Principal
from promptpilot.models import DeadLetter, Execution


def execution_row(
    principal: Principal, created_ms: int = 0, finished_ms: int | None = None, **others: Any
) -> Execution:
    """Make an execution that is COMPLETED, or PENDING without an end."""
    created_at = from_ms(created_ms)
    end: dict[str, Any] = {"status": "PENDING", "ready_at": created_at}
    if finished_ms is not None:
        finished_at = from_ms(finished_ms)
        end = {"status": "COMPLETED", "output": {}, "finished_at": finished_at}
    values = {
        "id": ids.new_id(ids.Kind.EXECUTION),
        "workspace_id": principal.workspace_id,
        "workflow_id": ids.new_id(ids.Kind.WORKFLOW),
        "workflow_version_id": ids.new_id(ids.Kind.WORKFLOW_VERSION),
        "workflow_revision": 1,
        "dispatched_at": created_at,
        "trigger_type": "MANUAL",
        "input": {},
        "created_at": created_at,
        "started_at": None if finished_ms is None else created_at,
    }
    return Execution(**{**values, **end, **others})


def dead_letter_row(
    execution: Execution, created_ms: int = 0, status: str = "OPEN", **others: Any
) -> DeadLetter:
    """Make a dead letter of an execution, OPEN or resolved a millisecond later."""
    values = {
        "id": ids.new_id(ids.Kind.DEAD_LETTER),
        "workspace_id": execution.workspace_id,
        "workflow_id": execution.workflow_id,
        "execution_id": execution.id,
        "status": status,
        "error": {"code": "HTTP_4XX", "message": "No.", "isRetryable": False},
        "error_code": "HTTP_4XX",
        "created_at": from_ms(created_ms),
        "resolved_at": None if status == "OPEN" else from_ms(created_ms + 1),
    }
    return DeadLetter(**{**values, **others})
