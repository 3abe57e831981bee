"""Reads back how far a claimed execution has come, from what its former workers recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptpilot.clock import from_ms
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.definition import Definition
from promptpilot.engine.ledger_rows import path_of
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.scope import Outcome, Progress, SkipReason
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.base import Answer
from promptpilot.models import Decision, LargeOutput, StepAttempt, StepExecution
from promptpilot.models.columns import load_json


@dataclass(frozen=True, slots=True)
class Story:
    """How far a claimed execution has come, and the step in whose wait it stands, if it does.

    `earlier_calls` are the calls of models in the attempts at the step in hand, oldest first.
    """

    progress: Progress
    waiting: StepExecution | None = None
    earlier_calls: Sequence[Mapping[str, Any]] = ()


async def load_story(claimed: Claimed, definition: Definition) -> Story:
    """Return the story of a claimed execution; at its first claim nothing is read."""
    progress = Progress(load_json(claimed.input), facts(claimed))
    if claimed.position == 0 and claimed.current_attempt == 0:
        return Story(progress)
    waiting = None
    rows = await StepExecution.filter(execution_id=claimed.id).order_by("position")
    aside = await _outputs_aside(rows)
    for row in rows:
        if row.status == StepStatus.WAITING:
            waiting = row
            continue
        moment = row.attempt_started_at or from_ms(claimed.created_at)
        outcome = outcome_of(row, aside.get(row.path))
        progress = progress.with_outcome(definition.steps[row.position], outcome, moment)
    return Story(
        progress, _wait_in_hand(claimed, waiting), await _earlier_calls(claimed, definition)
    )


async def load_answer(execution_id: str, path: str) -> Answer | None:
    """Return what a person chose at a DECISION step; None if nobody has."""
    row = await Decision.filter(execution_id=execution_id, path=path).first()
    return None if row is None else Answer(row.choice, row.comment, row.actor_id, row.at)


def outcome_of(row: StepExecution, full_output: Any = None) -> Outcome:
    """Return how a step ended, as its row says; an output kept aside is given in full."""
    reason = SkipReason(row.skip_reason) if row.skip_reason else None
    output = row.output if row.output_bytes is None else full_output
    return Outcome(StepStatus(row.status), output, row.error, reason)


def _wait_in_hand(claimed: Claimed, waiting: StepExecution | None) -> StepExecution | None:
    """Return the wait that the claim has ended; None if an attempt was begun after it."""
    if waiting is None or claimed.current_path is not None:
        return None
    return waiting if waiting.attempt == claimed.current_attempt else None


async def _earlier_calls(claimed: Claimed, definition: Definition) -> list[dict[str, Any]]:
    """Return what models were called for the step in hand before; only a PROMPT calls any."""
    if claimed.current_attempt == 0:
        return []
    if definition.steps[claimed.position].type is not StepType.PROMPT:
        return []
    path = path_of(claimed.position)
    rows = await StepAttempt.filter(execution_id=claimed.id, path=path).order_by("number")
    return [call for row in rows for call in row.model_calls or []]


async def _outputs_aside(rows: Sequence[StepExecution]) -> dict[str, Any]:
    """Return the outputs kept aside of the steps of one execution, by path."""
    paths = [row.path for row in rows if row.output_bytes is not None]
    if not paths:
        return {}
    found = await LargeOutput.filter(execution_id=rows[0].execution_id, path__in=paths)
    return {row.path: load_json(row.body) for row in found}


def facts(claimed: Claimed) -> Mapping[str, Any]:
    """Return what expressions may know of the execution besides its input and steps."""
    data = load_json(claimed.trigger_data) if claimed.trigger_data else {}
    return {
        "trigger": {
            "type": claimed.trigger_type,
            "id": claimed.trigger_id,
            "scheduledFor": data.get("scheduledFor"),
            "headers": data.get("headers"),
            "payload": data.get("payload"),
        },
        "execution": {"id": claimed.id, "createdAt": _text(claimed.created_at)},
        "workflow": {"id": claimed.workflow_id, "revision": claimed.workflow_revision},
    }


def _text(milliseconds: int) -> str:
    return from_ms(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
