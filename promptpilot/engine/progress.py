"""What the steps of an execution look like to a reader.

A step that ended has a row. One that runs or waits is on its execution's row, and one that was not
reached yet is in the pinned definition alone; all three are shown alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from tortoise.queryset import QuerySet

from promptpilot import ids
from promptpilot.engine.definition import Definition
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.engine.step_configs import StepType
from promptpilot.engine.versions import Versions
from promptpilot.models import Execution, StepAttempt, StepExecution
from promptpilot.models.columns import Row
from promptpilot.models.partial import NOTHING, LeftOut, without

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt at a step, from 1; a running one has no end."""

    number: int
    status: StepStatus
    started_at: datetime
    finished_at: datetime | None = None
    error: dict[str, Any] | None = None
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of one execution. `path` is where it is in the execution, and never changes."""

    id: str
    execution_id: str
    path: str
    position: int
    step_id: str
    name: str
    type: StepType
    status: StepStatus
    skip_reason: str | None = None
    attempt: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    input: Any = None
    output: Any = None
    #: Set when the output is kept aside: its size; `output` is a preview then.
    output_bytes: int | None = None
    error: dict[str, Any] | None = None
    model_calls: list[dict[str, Any]] = field(default_factory=list)
    reused_from: str | None = None
    wake_at: datetime | None = None
    attempts: tuple[AttemptView, ...] = ()


async def step_views(execution: Execution, versions: Versions) -> list[StepView]:
    """Return the steps of one execution, in order, as they are now."""
    return (await step_views_of([execution], versions))[execution.id]


async def step_views_of(
    executions: Sequence[Execution], versions: Versions, left_out: LeftOut = NOTHING
) -> dict[str, list[StepView]]:
    """Return the steps of several executions by execution id, with three queries at most.

    Columns of the steps and attempts that are left out are shown as empty.
    """
    wanted = [execution.id for execution in executions]
    definitions = await versions.get_many(each.workflow_version_id for each in executions)
    rows: dict[str, dict[str, StepExecution]] = defaultdict(dict)
    for row in await _read(StepExecution.filter(execution_id__in=wanted), left_out):
        rows[row.execution_id][row.path] = row
    ended: dict[str, list[StepAttempt]] = defaultdict(list)
    attempts = StepAttempt.filter(execution_id__in=wanted).order_by("number")
    for attempt in await _read(attempts, left_out):
        ended[attempt.execution_id].append(attempt)
    return {
        each.id: _views(each, definitions[each.workflow_version_id], rows[each.id], ended[each.id])
        for each in executions
    }


async def _read(rows: QuerySet[R], left_out: LeftOut) -> list[R]:
    found = await without(rows, left_out)
    for row in found:
        for name in left_out:
            setattr(row, name, None)
    return found


def _views(
    execution: Execution,
    definition: Definition,
    rows: dict[str, StepExecution],
    ended: Sequence[StepAttempt],
) -> list[StepView]:
    views = []
    for position in range(len(definition.steps)):
        path = str(position)
        attempts = [each for each in ended if each.path == path]
        row = rows.get(path)
        if row is None or row.status == StepStatus.WAITING:
            waiting = row if _is_waiting(execution, row) else None
            views.append(_open_view(execution, definition, position, attempts, waiting))
        else:
            views.append(_ended_view(row, attempts))
    return views


def _ended_view(row: StepExecution, ended: Sequence[StepAttempt]) -> StepView:
    attempts = [_ended_attempt(each) for each in ended]
    # A wait that was cancelled ended after its attempt had ended.
    is_told = any(each.number == row.attempt for each in ended)
    if row.attempt > 0 and row.attempt_started_at is not None and not is_told:
        attempts.append(
            AttemptView(
                row.attempt,
                StepStatus(row.status),
                row.attempt_started_at,
                row.finished_at,
                row.error,
            )
        )
    return StepView(
        id=ids.step_execution_id(row.execution_id, row.path),
        execution_id=row.execution_id,
        path=row.path,
        position=row.position,
        step_id=row.step_id,
        name=row.step_name,
        type=StepType(row.step_type),
        status=StepStatus(row.status),
        skip_reason=row.skip_reason,
        attempt=row.attempt,
        started_at=row.started_at,
        finished_at=row.finished_at,
        input=row.input,
        output=row.output,
        output_bytes=row.output_bytes,
        error=row.error,
        model_calls=_calls(ended) + list(row.model_calls or []),
        reused_from=row.reused_from,
        attempts=tuple(attempts),
    )


def _open_view(
    execution: Execution,
    definition: Definition,
    position: int,
    ended: Sequence[StepAttempt],
    waiting: StepExecution | None,
) -> StepView:
    step = definition.steps[position]
    status = _open_status(execution, position, ended, waiting)
    has_begun = status is not StepStatus.PENDING
    attempts = [_ended_attempt(each) for each in ended]
    if _is_attempt_open(execution, status, ended):
        began = execution.attempt_started_at or (waiting.attempt_started_at if waiting else None)
        if began is not None:
            attempts.append(AttemptView(execution.current_attempt, status, began))
    return StepView(
        id=ids.step_execution_id(execution.id, str(position)),
        execution_id=execution.id,
        path=str(position),
        position=position,
        step_id=step.id,
        name=step.name,
        type=step.type,
        status=status,
        attempt=_newest_attempt(execution, ended) if has_begun else 0,
        started_at=_first_start(execution, ended) if has_begun else None,
        input=waiting.input if waiting else None,
        model_calls=_calls(ended),
        wake_at=waiting.wake_at if waiting and status is StepStatus.WAITING else None,
        attempts=tuple(attempts),
    )


def _is_waiting(execution: Execution, row: StepExecution | None) -> bool:
    """Whether the row's wait goes on: no attempt was begun after it."""
    if row is None or execution.current_path is not None:
        return False
    return row.attempt == execution.current_attempt


def _is_attempt_open(
    execution: Execution, status: StepStatus, ended: Sequence[StepAttempt]
) -> bool:
    """Whether the newest attempt goes on: it runs, or it waits for an instant or an answer."""
    if status is StepStatus.RUNNING:
        return execution.attempt_started_at is not None
    is_told = any(each.number == execution.current_attempt for each in ended)
    return status is StepStatus.WAITING and not is_told


def _newest_attempt(execution: Execution, ended: Sequence[StepAttempt]) -> int:
    return max([execution.current_attempt, *(each.number for each in ended)])


def _first_start(execution: Execution, ended: Sequence[StepAttempt]) -> datetime | None:
    return ended[0].started_at if ended else execution.step_started_at


def _open_status(
    execution: Execution,
    position: int,
    ended: Sequence[StepAttempt],
    waiting: StepExecution | None,
) -> StepStatus:
    """Return where a step without a result is: running, waiting, or not reached."""
    if ExecutionStatus(execution.status).is_final:
        # What had begun and has no result was cancelled between two attempts.
        return StepStatus.CANCELLED if ended else StepStatus.PENDING
    if execution.position != position or execution.current_attempt == 0:
        return StepStatus.PENDING
    return StepStatus.RUNNING if waiting is None else StepStatus.WAITING


def _ended_attempt(row: StepAttempt) -> AttemptView:
    return AttemptView(
        row.number,
        StepStatus(row.status),
        row.started_at,
        row.finished_at,
        row.error,
        row.next_attempt_at,
    )


def _calls(ended: Sequence[StepAttempt]) -> list[dict[str, Any]]:
    return [call for attempt in ended for call in attempt.model_calls or []]
