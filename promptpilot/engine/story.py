"""Reads back how far a claimed execution has come, from what its former workers recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptpilot.clock import from_ms
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.definition import Definition
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.scope import Outcome, Progress, SkipReason
from promptpilot.models import StepExecution
from promptpilot.models.columns import load_json


async def load_progress(claimed: Claimed, definition: Definition) -> Progress:
    """Return the progress of a claimed execution; at its first claim nothing is read."""
    progress = Progress(load_json(claimed.input), facts(claimed))
    if claimed.position == 0:
        return progress
    rows = await StepExecution.filter(execution_id=claimed.id).order_by("position")
    for row in rows:
        moment = row.attempt_started_at or from_ms(claimed.created_at)
        progress = progress.with_outcome(definition.steps[row.position], outcome_of(row), moment)
    return progress


def outcome_of(row: StepExecution) -> Outcome:
    """Return how a step ended, as its row says."""
    reason = SkipReason(row.skip_reason) if row.skip_reason else None
    return Outcome(StepStatus(row.status), row.output, row.error, reason)


def facts(claimed: Claimed) -> Mapping[str, Any]:
    """Return what expressions may know of the execution besides its input and steps."""
    data = load_json(claimed.trigger_data) if claimed.trigger_data else {}
    return {
        "trigger": {
            "type": claimed.trigger_type,
            "id": claimed.trigger_id,
            "scheduledFor": None,
            "headers": data.get("headers"),
            "payload": data.get("payload"),
        },
        "execution": {"id": claimed.id, "createdAt": _text(claimed.created_at)},
        "workflow": {"id": claimed.workflow_id, "revision": claimed.workflow_revision},
    }


def _text(milliseconds: int) -> str:
    return from_ms(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
