"""Which executions a list shows, in which order, and what executions are asked to do."""

from __future__ import annotations

from datetime import datetime

import strawberry

from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus, WaitReason
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.schema.enums import (
    OrderDirection,
    WorkflowExecutionOrderField,
)
from promptpilot.schema.scalars import JSONObject
from promptpilot.schema.types.relay import DateTimeRange


@strawberry.input(description="Filter for executions; all given conditions must hold.")
class WorkflowExecutionFilter:
    """Filter for executions; all given conditions must hold."""

    workflow_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Of these workflows."
    )
    trigger_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Started by these triggers."
    )
    statuses: list[ExecutionStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these."
    )
    trigger_types: list[TriggerType] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these."
    )
    created_at: DateTimeRange | None = strawberry.field(
        default=strawberry.UNSET, description="Accepted in this range."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET, description="With exactly this key."
    )
    wait_reasons: list[WaitReason] | None = strawberry.field(
        default=strawberry.UNSET, description="WAITING for any of these."
    )


@strawberry.input(description="Order of executions. Ties are broken by id.")
class WorkflowExecutionOrder:
    """Order of executions. Ties are broken by id."""

    field: WorkflowExecutionOrderField = strawberry.field(
        default=WorkflowExecutionOrderField.CREATED_AT, description="Field."
    )
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.DESC, description="Direction."
    )


@strawberry.input(description="Filter for step executions.")
class WorkflowStepExecutionFilter:
    """Filter for step executions."""

    statuses: list[StepStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these."
    )


@strawberry.input(description="Start a workflow.")
class StartExecutionInput:
    """Start a workflow."""

    workflow_id: strawberry.ID = strawberry.field(description="The workflow.")
    input: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Values for INPUT variables."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Same key and arguments within 24 hours: the first execution is returned and"
            " nothing starts."
        ),
    )
    start_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Do not start before."
    )


@strawberry.input(
    description=(
        "Stop an execution. Running steps are told to stop; it becomes CANCELLED when they have."
    )
)
class CancelExecutionInput:
    """Stop an execution. Running steps are told to stop; it becomes CANCELLED when they have."""

    id: strawberry.ID = strawberry.field(description="The execution.")
    reason: str | None = strawberry.field(default=strawberry.UNSET, description="Why, for people.")


@strawberry.input(description="Hold an execution at the next step boundary.")
class PauseExecutionInput:
    """Hold an execution at the next step boundary."""

    id: strawberry.ID = strawberry.field(description="The execution.")


@strawberry.input(description="Let a paused execution go on.")
class ResumeExecutionInput:
    """Let a paused execution go on."""

    id: strawberry.ID = strawberry.field(description="The execution.")


@strawberry.input(description="Run a finished execution again, as a new one.")
class RetryExecutionInput:
    """Run a finished execution again, as a new one."""

    id: strawberry.ID = strawberry.field(description="The execution.")
    from_step_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "Take over the outputs of all steps before this one; null begins at the first that"
            " failed."
        ),
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET, description="As in StartExecutionInput."
    )
    use_newest_version: bool = strawberry.field(
        default=False,
        description=(
            "Run the workflow as it is now; steps that changed since are not taken over, nor is"
            " what follows them."
        ),
    )


@strawberry.input(description="Choose for a MANUAL decision that waits.")
class SubmitDecisionInput:
    """Choose for a MANUAL decision that waits."""

    step_execution_id: strawberry.ID = strawberry.field(
        description="The step execution that waits."
    )
    choice: str = strawberry.field(description="Name of the choice.")
    comment: str | None = strawberry.field(default=strawberry.UNSET, description="Why.")
