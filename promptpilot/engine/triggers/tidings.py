"""Makes platform events of what executions tell: that they began or ended, or ask a person.

Rules: an event is named after the execution's own event, so the same news make the same event. Of
an output only what is small is told; the whole is read by the execution's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from promptpilot import ids
from promptpilot.clock import from_ms
from promptpilot.engine.launch import request_digest
from promptpilot.engine.previews import cut
from promptpilot.json_values import load_json
from promptpilot.models import PlatformEvent

#: Told to endpoints alone, and only where one wants to know.
STARTED: Final = "execution.started"
DECISION_REQUIRED: Final = "execution.decision_required"
#: The type that tells of an end, by the status that it ended in.
END_TYPES: Final[Mapping[str, str]] = {
    "COMPLETED": "execution.completed",
    "FAILED": "execution.failed",
    "CANCELLED": "execution.cancelled",
}

_MAX_OUTPUT_BYTES: Final = 16 * 1024
_MAX_QUESTION_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Tiding:
    """One thing that an execution tells: its start, its end, or a question."""

    workspace_id: str
    execution_id: str
    workflow_id: str
    seq: int
    at: datetime
    depth: int
    type: str
    payload: dict[str, Any]

    @property
    def dedupe_key(self) -> str:
        """What admits one event of it."""
        return f"{self.type}:{self.execution_id}:{self.seq}"

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Tiding:
        """Return what a row tells: an execution, one event of it, and the step that waits."""
        told_type = _type(row)
        return cls(
            workspace_id=row["workspace_id"],
            execution_id=row["id"],
            workflow_id=row["workflow_id"],
            seq=row["seq"],
            at=from_ms(row["at"]),
            depth=row["depth"],
            type=told_type,
            payload=_subject(row) | _more(told_type, row),
        )


def event_of(tiding: Tiding, now: datetime) -> PlatformEvent:
    """Return the event to store; it lies one deeper than its execution."""
    return PlatformEvent(
        id=ids.new_id(ids.Kind.PLATFORM_EVENT),
        workspace_id=tiding.workspace_id,
        type=tiding.type,
        payload=tiding.payload,
        dedupe_key=tiding.dedupe_key,
        request_sha256=request_digest(tiding.dedupe_key),
        depth=tiding.depth + 1,
        created_at=now,
    )


def _type(row: Mapping[str, Any]) -> str:
    if row["path"] is not None:
        return DECISION_REQUIRED
    return END_TYPES.get(row["to_status"], STARTED)


def _more(told_type: str, row: Mapping[str, Any]) -> dict[str, Any]:
    if told_type == STARTED:
        return {}
    return _question(row) if told_type == DECISION_REQUIRED else _end(row)


def _subject(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "executionId": row["id"],
        "workflowId": row["workflow_id"],
        "workflowName": row["workflow_name"],
        "triggerId": row["trigger_id"],
        "triggerType": row["trigger_type"],
        "status": row["to_status"],
    }


def _end(row: Mapping[str, Any]) -> dict[str, Any]:
    output = _value(row["output"])
    shown = cut(output, _MAX_OUTPUT_BYTES)
    is_whole = row["output_bytes"] is None and shown is output
    return {"error": _value(row["error"]), "output": shown, "isOutputCut": not is_whole}


def _question(row: Mapping[str, Any]) -> dict[str, Any]:
    asked = _value(row["asked"]) or {}
    return {
        "stepExecutionId": ids.step_execution_id(row["id"], row["path"]),
        "stepName": row["step_name"],
        "question": cut(asked.get("question"), _MAX_QUESTION_BYTES),
        "choices": asked.get("choices"),
    }


def _value(text: str | None) -> Any:
    return None if text is None else load_json(text)
