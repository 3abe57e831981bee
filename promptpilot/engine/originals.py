"""Reads an execution that is to be run again, with the steps that it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptpilot import ids
from promptpilot.engine.beginning import Record
from promptpilot.engine.definition import Definition
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus, WaitReason, shown_status
from promptpilot.engine.scope import Outcome
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.versions import Versions
from promptpilot.errors import InvalidStatus, NotFound
from promptpilot.models.columns import load_json
from promptpilot.models.database import Database

_ID_PATH = ("input", "id")
#: Types of steps whose outputs say where the flow goes on.
_BRANCHING = frozenset({StepType.CONDITION, StepType.DECISION})

_EXECUTION = """
SELECT id, status, wait_reason, workspace_id, workflow_id, workflow_version_id, workflow_revision,
    trigger_type, trigger_id, firing_id, trigger_data, prompt_versions, depth, input
FROM executions WHERE id = $1 AND workspace_id = $2
"""
_STEPS = """
SELECT path, position, step_id, step_name, step_type, status, skip_reason, attempt_started_at,
    input, output, output_bytes, error, reused_from
FROM step_executions WHERE execution_id = $1 ORDER BY position
"""


@dataclass(frozen=True, slots=True)
class Original:
    """A final execution and its steps in order, as their rows say; JSON values are text."""

    execution: Mapping[str, Any]
    steps: tuple[Mapping[str, Any], ...]
    definition: Definition

    @property
    def record(self) -> Record:
        """How its steps ended; of outputs, those that say where the flow goes on."""
        return Record(self.definition, {row["position"]: _outcome(row) for row in self.steps})


async def read_original(
    database: Database, versions: Versions, workspace_id: str, id: str
) -> Original:
    """Return an execution of the workspace, which is final and so never changes.

    Raises `NotFound`, also for another workspace's, and `InvalidStatus` while it is not final.
    """
    rows = []
    if ids.is_id(id, ids.Kind.EXECUTION):
        rows = await database.fetch(_EXECUTION, id, workspace_id)
    if not rows:
        raise NotFound("There is no such execution.", id, _ID_PATH)
    (row,) = rows
    _check_final(row)
    definition = await versions.get(row["workflow_version_id"])
    return Original(row, tuple(await database.fetch(_STEPS, id)), definition)


def _check_final(row: Mapping[str, Any]) -> None:
    status = ExecutionStatus(row["status"])
    if not status.is_final:
        reason = WaitReason(row["wait_reason"]) if row["wait_reason"] else None
        shown = shown_status(status, reason)
        message = f"The execution is {shown}; wait until it has ended, or cancel it, to repeat it."
        raise InvalidStatus(message, shown, _ID_PATH)


def _outcome(row: Mapping[str, Any]) -> Outcome:
    is_told = row["step_type"] in _BRANCHING and row["output"] is not None
    return Outcome(StepStatus(row["status"]), load_json(row["output"]) if is_told else None)
