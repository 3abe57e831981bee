"""What mutations answer with."""

from __future__ import annotations

import strawberry

from promptpilot import models as rows
from promptpilot.engine.progress import StepView
from promptpilot.schema.links import link, links
from promptpilot.schema.types.user_error import UserError


@strawberry.type(description="Result of createWorkflow.")
class CreateWorkflowPayload:
    """Result of createWorkflow."""

    workflow: rows.Workflow | None = strawberry.field(
        default=None, graphql_type=link("Workflow") | None, description="The new workflow."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of updateWorkflow.")
class UpdateWorkflowPayload:
    """Result of updateWorkflow."""

    workflow: rows.Workflow | None = strawberry.field(
        default=None, graphql_type=link("Workflow") | None, description="The workflow."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of duplicateWorkflow.")
class DuplicateWorkflowPayload:
    """Result of duplicateWorkflow."""

    workflow: rows.Workflow | None = strawberry.field(
        default=None, graphql_type=link("Workflow") | None, description="The copy."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of deleteWorkflow.")
class DeleteWorkflowPayload:
    """Result of deleteWorkflow."""

    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the deleted workflow, for client caches."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of createTrigger.")
class CreateTriggerPayload:
    """Result of createTrigger."""

    trigger: rows.Trigger | None = strawberry.field(
        default=None, graphql_type=link("WorkflowTrigger") | None, description="The new trigger."
    )
    secret: str | None = strawberry.field(
        default=None, description="Signing secret (WEBHOOK) or key (API), shown this once."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of updateTrigger.")
class UpdateTriggerPayload:
    """Result of updateTrigger."""

    trigger: rows.Trigger | None = strawberry.field(
        default=None, graphql_type=link("WorkflowTrigger") | None, description="The trigger."
    )
    secret: str | None = strawberry.field(
        default=None,
        description="New secret or key if the type changed to WEBHOOK or API, shown this once.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of rotateTriggerSecret.")
class RotateTriggerSecretPayload:
    """Result of rotateTriggerSecret."""

    trigger: rows.Trigger | None = strawberry.field(
        default=None, graphql_type=link("WorkflowTrigger") | None, description="The trigger."
    )
    secret: str | None = strawberry.field(
        default=None, description="The new secret or key, shown this once."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of deleteTrigger.")
class DeleteTriggerPayload:
    """Result of deleteTrigger."""

    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the deleted trigger, for client caches."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of startExecution.")
class StartExecutionPayload:
    """Result of startExecution."""

    execution: rows.Execution | None = strawberry.field(
        default=None,
        graphql_type=link("WorkflowExecution") | None,
        description="The execution; stored before this answer is sent.",
    )
    is_new: bool = strawberry.field(
        default=False, description="False when the idempotency key matched an earlier call."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of runTrigger.")
class RunTriggerPayload:
    """Result of runTrigger."""

    execution: rows.Execution | None = strawberry.field(
        default=None,
        graphql_type=link("WorkflowExecution") | None,
        description="The execution; stored before this answer is sent.",
    )
    is_new: bool = strawberry.field(
        default=False, description="False when the idempotency key matched an earlier call."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of dispatchEvent.")
class DispatchEventPayload:
    """Result of dispatchEvent."""

    executions: list[rows.Execution] = strawberry.field(
        default_factory=list,
        graphql_type=links("WorkflowExecution"),
        description="Executions started by it, one per matching trigger.",
    )
    is_new: bool = strawberry.field(
        default=False, description="False when the idempotency key matched an earlier call."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of cancelExecution.")
class CancelExecutionPayload:
    """Result of cancelExecution."""

    execution: rows.Execution | None = strawberry.field(
        default=None, graphql_type=link("WorkflowExecution") | None, description="The execution."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of pauseExecution.")
class PauseExecutionPayload:
    """Result of pauseExecution."""

    execution: rows.Execution | None = strawberry.field(
        default=None, graphql_type=link("WorkflowExecution") | None, description="The execution."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of resumeExecution.")
class ResumeExecutionPayload:
    """Result of resumeExecution."""

    execution: rows.Execution | None = strawberry.field(
        default=None, graphql_type=link("WorkflowExecution") | None, description="The execution."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of retryExecution.")
class RetryExecutionPayload:
    """Result of retryExecution."""

    execution: rows.Execution | None = strawberry.field(
        default=None,
        graphql_type=link("WorkflowExecution") | None,
        description="The new execution.",
    )
    is_new: bool = strawberry.field(
        default=False, description="False when the idempotency key matched an earlier call."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of submitDecision.")
class SubmitDecisionPayload:
    """Result of submitDecision."""

    step_execution: StepView | None = strawberry.field(
        default=None, graphql_type=link("WorkflowStepExecution") | None, description="The step."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )
