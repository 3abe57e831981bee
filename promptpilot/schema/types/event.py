"""What happens in an execution."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import ids
from promptpilot import models as rows
from promptpilot.engine.events import EventKind
from promptpilot.engine.execution_feed import StatusChange
from promptpilot.engine.feed import encode_cursor
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.engine.progress import AttemptView, StepView
from promptpilot.engine.watching import OutputAppended
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.scalars import SafeInt
from promptpilot.schema.selection import shown_execution, shown_step
from promptpilot.schema.types.step_execution import StepAttempt


@strawberry.interface(
    description=(
        "Something that happened in an execution. Stored: they can be read again and resumed from."
    )
)
class ExecutionEvent:
    """Something that happened in an execution. Stored: they can be read again and resumed from."""

    @declare.field(description="Opaque position; give the last one seen back as `after`.")
    @staticmethod
    def cursor(root: Parent[rows.ExecutionEvent]) -> str:
        return encode_cursor(root.execution_id, root.seq)

    @declare.field(description="From 1, without gaps within the execution.")
    @staticmethod
    def sequence(root: Parent[rows.ExecutionEvent]) -> SafeInt:
        return SafeInt(root.seq)

    @declare.field(description="When it happened.")
    @staticmethod
    def occurred_at(root: Parent[rows.ExecutionEvent]) -> datetime:
        return root.at

    @declare.field(
        description="The execution, as it is when the event is sent.",
        graphql_type=link("WorkflowExecution"),
    )
    @staticmethod
    async def execution(root: Parent[rows.ExecutionEvent], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)


@strawberry.type(description="The execution's status changed.")
class ExecutionStatusChanged(ExecutionEvent):
    """The execution's status changed."""

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return _tells(obj, EventKind.EXECUTION_STATUS)

    @declare.field(description="Opaque position.")
    @staticmethod
    def cursor(root: Parent[rows.ExecutionEvent | StatusChange]) -> str:
        if isinstance(root, StatusChange):
            return root.cursor
        return encode_cursor(root.execution_id, root.seq)

    @declare.field(description="From 1, without gaps within the execution.")
    @staticmethod
    def sequence(root: Parent[rows.ExecutionEvent]) -> SafeInt:
        return SafeInt(root.seq)

    @declare.field(description="When it happened.")
    @staticmethod
    def occurred_at(root: Parent[rows.ExecutionEvent]) -> datetime:
        return root.at

    @declare.field(description="The execution.", graphql_type=link("WorkflowExecution"))
    @staticmethod
    async def execution(root: Parent[rows.ExecutionEvent], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)

    @declare.field(description="Before; null for the first.", graphql_type=ExecutionStatus | None)
    @staticmethod
    def from_status(root: Parent[rows.ExecutionEvent]) -> str | None:
        return root.from_status

    @declare.field(description="After.", graphql_type=ExecutionStatus)
    @staticmethod
    def to_status(root: Parent[rows.ExecutionEvent]) -> str | None:
        return root.to_status


@strawberry.type(description="A step's status changed.")
class StepStatusChanged(ExecutionEvent):
    """A step's status changed."""

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return _tells(obj, EventKind.STEP_STATUS)

    @declare.field(description="Opaque position.")
    @staticmethod
    def cursor(root: Parent[rows.ExecutionEvent]) -> str:
        return encode_cursor(root.execution_id, root.seq)

    @declare.field(description="From 1, without gaps within the execution.")
    @staticmethod
    def sequence(root: Parent[rows.ExecutionEvent]) -> SafeInt:
        return SafeInt(root.seq)

    @declare.field(description="When it happened.")
    @staticmethod
    def occurred_at(root: Parent[rows.ExecutionEvent]) -> datetime:
        return root.at

    @declare.field(description="The execution.", graphql_type=link("WorkflowExecution"))
    @staticmethod
    async def execution(root: Parent[rows.ExecutionEvent], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)

    @declare.field(
        description="The step, as it is when the event is sent.",
        graphql_type=link("WorkflowStepExecution"),
    )
    @staticmethod
    async def step_execution(root: Parent[rows.ExecutionEvent], info: Info) -> StepView | None:
        return await _step(root, info)

    @declare.field(description="Before; null for the first.", graphql_type=StepStatus | None)
    @staticmethod
    def from_step_status(root: Parent[rows.ExecutionEvent]) -> str | None:
        return root.from_status

    @declare.field(description="After.", graphql_type=StepStatus)
    @staticmethod
    def to_step_status(root: Parent[rows.ExecutionEvent]) -> str | None:
        return root.to_status


@strawberry.type(description="An attempt failed and another will be made.")
class StepRetryScheduled(ExecutionEvent):
    """An attempt failed and another will be made."""

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return _tells(obj, EventKind.STEP_RETRY)

    @declare.field(description="Opaque position.")
    @staticmethod
    def cursor(root: Parent[rows.ExecutionEvent]) -> str:
        return encode_cursor(root.execution_id, root.seq)

    @declare.field(description="From 1, without gaps within the execution.")
    @staticmethod
    def sequence(root: Parent[rows.ExecutionEvent]) -> SafeInt:
        return SafeInt(root.seq)

    @declare.field(description="When it happened.")
    @staticmethod
    def occurred_at(root: Parent[rows.ExecutionEvent]) -> datetime:
        return root.at

    @declare.field(description="The execution.", graphql_type=link("WorkflowExecution"))
    @staticmethod
    async def execution(root: Parent[rows.ExecutionEvent], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)

    @declare.field(description="The step.", graphql_type=link("WorkflowStepExecution"))
    @staticmethod
    async def step_execution(root: Parent[rows.ExecutionEvent], info: Info) -> StepView | None:
        return await _step(root, info)

    @declare.field(description="The attempt that failed.", graphql_type=StepAttempt)
    @staticmethod
    async def attempt(root: Parent[rows.ExecutionEvent], info: Info) -> AttemptView | None:
        step = await _step(root, info)
        attempts = step.attempts if step else ()
        return next((each for each in attempts if each.number == root.attempt), None)


@strawberry.type(
    description=(
        "A model's answer grew. Only with `includeOutput: true`. Not stored: after a resume one"
        " chunk with `isSnapshot` brings all text so far."
    )
)
class StepOutputAppended(ExecutionEvent):
    """A model's answer grew."""

    model_index: int = strawberry.field(description="Index of the model in the step.")
    text: str = strawberry.field(description="The new text, or all of it when `isSnapshot`.")
    is_snapshot: bool = strawberry.field(description="Replaces what was received before.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, OutputAppended)

    @declare.field(description="Position of the last stored event before it.")
    @staticmethod
    def cursor(root: Parent[OutputAppended]) -> str:
        return encode_cursor(root.execution_id, root.seq)

    @declare.field(description="Sequence of the last stored event before it.")
    @staticmethod
    def sequence(root: Parent[OutputAppended]) -> SafeInt:
        return SafeInt(root.seq)

    @declare.field(description="When it happened.")
    @staticmethod
    def occurred_at(root: Parent[OutputAppended]) -> datetime:
        return root.at

    @declare.field(description="The execution.", graphql_type=link("WorkflowExecution"))
    @staticmethod
    async def execution(root: Parent[OutputAppended], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)

    @declare.field(description="The step.", graphql_type=link("WorkflowStepExecution"))
    @staticmethod
    async def step_execution(root: Parent[OutputAppended], info: Info) -> StepView | None:
        return await _step(root, info)


def _tells(obj: object, kind: EventKind) -> bool:
    return isinstance(obj, rows.ExecutionEvent | StatusChange) and obj.kind == kind


async def _step(event: rows.ExecutionEvent | OutputAppended, info: Info) -> StepView | None:
    step_id = ids.step_execution_id(event.execution_id, event.path or "")
    return await shown_step(info, step_id)
