"""Which workflows a list shows, in which order, and how workflows are made and changed."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from promptpilot.engine import drafts
from promptpilot.engine.definition import Step, Variable
from promptpilot.schema.enums import (
    OrderDirection,
    WorkflowOrderField,
)
from promptpilot.schema.given import changed, changed_to, given
from promptpilot.schema.scalars import JSONObject
from promptpilot.schema.types.relay import DateTimeRange
from promptpilot.schema.types.step_input import WorkflowStepInput
from promptpilot.schema.types.variable import WorkflowVariableInput


@strawberry.input(description="Filter for workflows; all given conditions must hold.")
class WorkflowFilter:
    """Filter for workflows; all given conditions must hold."""

    ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Only these."
    )
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Words in name or description."
    )
    is_active: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Active or not."
    )
    tags: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Has all of these labels."
    )
    prompt_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Uses this prompt in some step."
    )
    created_at: DateTimeRange | None = strawberry.field(
        default=strawberry.UNSET, description="Made in this range."
    )


@strawberry.input(description="Order of workflows. Ties are broken by id.")
class WorkflowOrder:
    """Order of workflows. Ties are broken by id."""

    field: WorkflowOrderField = strawberry.field(
        default=WorkflowOrderField.UPDATED_AT, description="Field."
    )
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.DESC, description="Direction."
    )


@strawberry.input(description="New workflow, with or without its definition.")
class CreateWorkflowInput:
    """New workflow, with or without its definition."""

    name: str = strawberry.field(description="Name.")
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="What it is for."
    )
    tags: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Labels.")
    metadata: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Free data."
    )
    is_active: bool = strawberry.field(default=True, description="Takes executions from triggers.")
    steps: list[WorkflowStepInput] | None = strawberry.field(
        default=strawberry.UNSET, description="Steps in order."
    )
    variables: list[WorkflowVariableInput] | None = strawberry.field(
        default=strawberry.UNSET, description="Declared variables."
    )
    execution_timeout_seconds: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Time an execution has, waits included: 1 second to 365 days.",
    )

    def to_draft(self) -> drafts.WorkflowDraft:
        """Return the workflow as the engine knows it; raise InvalidInput."""
        return drafts.WorkflowDraft(
            name=self.name,
            description=given(self.description),
            tags=tuple(given(self.tags) or ()),
            metadata=given(self.metadata) or {},
            is_active=self.is_active,
            steps=_steps(given(self.steps) or ()),
            variables=_variables(given(self.variables) or ()),
            execution_timeout_seconds=given(self.execution_timeout_seconds),
        )


@strawberry.input(
    description=(
        "Change of a workflow. `steps` and `variables` replace the whole list, in one transaction."
    )
)
class UpdateWorkflowInput:
    """Change of a workflow. `steps` and `variables` replace the whole list, in one transaction."""

    id: strawberry.ID = strawberry.field(description="The workflow.")
    expected_revision: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Fails with CONFLICT if the workflow has another revision by now.",
    )
    name: str | None = strawberry.field(default=strawberry.UNSET, description="New name.")
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="New description; null clears it."
    )
    tags: list[str] | None = strawberry.field(default=strawberry.UNSET, description="New labels.")
    metadata: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="New free data."
    )
    is_active: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Take executions from triggers."
    )
    steps: list[WorkflowStepInput] | None = strawberry.field(
        default=strawberry.UNSET, description="New steps in order."
    )
    variables: list[WorkflowVariableInput] | None = strawberry.field(
        default=strawberry.UNSET, description="New variables."
    )
    execution_timeout_seconds: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="New time an execution has, 1 second to 365 days; null clears it.",
    )

    def to_change(self) -> drafts.WorkflowChange:
        """Return the change as the engine knows it; raise InvalidInput."""
        return drafts.WorkflowChange(
            id=self.id,
            expected_revision=given(self.expected_revision),
            name=changed(self.name),
            description=changed(self.description),
            tags=changed_to(self.tags, tuple),
            metadata=changed(self.metadata),
            is_active=changed(self.is_active),
            steps=changed_to(self.steps, _steps),
            variables=changed_to(self.variables, _variables),
            execution_timeout_seconds=changed(self.execution_timeout_seconds),
        )


@strawberry.input(
    description=("Copy a workflow with steps and variables, without triggers and executions.")
)
class DuplicateWorkflowInput:
    """Copy a workflow with steps and variables, without triggers and executions."""

    id: strawberry.ID = strawberry.field(description="The workflow to copy.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Name of the copy.")


@strawberry.input(
    description=(
        "Delete a workflow with its triggers. Executions stay readable for the retention time."
    )
)
class DeleteWorkflowInput:
    """Delete a workflow with its triggers. Executions stay readable for the retention time."""

    id: strawberry.ID = strawberry.field(description="The workflow.")
    cancel_running: bool = strawberry.field(
        default=False,
        description=(
            "Cancel running executions; without it they make the call fail with INVALID_STATE."
        ),
    )


def _steps(inputs: Sequence[WorkflowStepInput]) -> tuple[Step, ...]:
    return tuple(
        step.to_step(("input", "steps", str(position))) for position, step in enumerate(inputs)
    )


def _variables(inputs: Sequence[WorkflowVariableInput]) -> tuple[Variable, ...]:
    return tuple(variable.to_variable() for variable in inputs)
