"""Steps of an execution, and their attempts."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.progress import AttemptView, StepView
from promptpilot.engine.step_configs import StepType
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.durations import elapsed_ms
from promptpilot.schema.links import link
from promptpilot.schema.pinned_prompts import shown_version
from promptpilot.schema.scalars import JSON, URL, SafeInt
from promptpilot.schema.selection import shown_execution, shown_step
from promptpilot.schema.types.decision import PendingDecision
from promptpilot.schema.types.model_call import ModelCall
from promptpilot.schema.types.outcome import ExecutionError
from promptpilot.schema.types.relay import Node


@strawberry.type(description="One attempt at a step.")
class StepAttempt:
    """One attempt at a step."""

    number: int = strawberry.field(description="From 1.")
    status: StepStatus = strawberry.field(description="Where it is.")
    started_at: datetime = strawberry.field(description="When it began.")
    finished_at: datetime | None = strawberry.field(
        description=(
            "When it ended; null while running or when its worker died and the lease has"
            " not run out."
        )
    )
    next_attempt_at: datetime | None = strawberry.field(
        description="When the next attempt will be made."
    )

    @declare.field(description="Why it failed.")
    @staticmethod
    def error(root: Parent[AttemptView]) -> ExecutionError | None:
        return ExecutionError.of(root.error)


@strawberry.type(description="One step of an execution.")
class WorkflowStepExecution(Node):
    """One step of an execution."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    status: StepStatus = strawberry.field(description="Where it is.")
    input: JSON | None = strawberry.field(description="Resolved inputs.")
    output: JSON | None = strawberry.field(
        description=(
            "Output, cut to `ServerLimits.maxInlineOutputBytes`; then `outputUrl` has it all."
        )
    )
    attempts: list[StepAttempt] = strawberry.field(description="Every attempt, oldest first.")
    started_at: datetime | None = strawberry.field(description="When the first attempt began.")
    finished_at: datetime | None = strawberry.field(description="When it became final.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, StepView)

    @declare.field(description="The execution.", graphql_type=link("WorkflowExecution"))
    @staticmethod
    async def execution(root: Parent[StepView], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.execution_id)

    @declare.field(
        description="The step's definition; null when the step was deleted since.",
        graphql_type=link("WorkflowStep") | None,
    )
    @staticmethod
    async def step(root: Parent[StepView], info: Info) -> rows.WorkflowStep | None:
        return await info.context.loaders.step.load(root.step_id)

    @declare.field(description="Name of the step at that time.")
    @staticmethod
    def step_name(root: Parent[StepView]) -> str:
        return root.name

    @declare.field(description="Kind of the step at that time.")
    @staticmethod
    def step_type(root: Parent[StepView]) -> StepType:
        return StepType(root.type)

    @declare.field(
        description="Version of the stored prompt that it runs with; null without one.",
        graphql_type=link("PromptVersion") | None,
    )
    @staticmethod
    async def prompt_version(root: Parent[StepView], info: Info) -> rows.PromptVersion | None:
        return await shown_version(root, info.context.loaders)

    @declare.field(description="Position, from 0.")
    @staticmethod
    def order(root: Parent[StepView]) -> int:
        return root.position

    @declare.field(
        description=(
            "Taken over from this earlier execution of the same step; null when it ran itself."
        ),
        graphql_type=link("WorkflowStepExecution") | None,
    )
    @staticmethod
    async def reused_from(root: Parent[StepView], info: Info) -> StepView | None:
        return await shown_step(info, root.reused_from)

    @declare.field(description="Where to download an output that was cut.")
    @staticmethod
    def output_url(root: Parent[StepView], info: Info) -> URL | None:
        if root.output_bytes is None:
            return None
        base = f"{info.context.engine.settings.public_url}/api/executions/{root.execution_id}"
        return URL(f"{base}/steps/{root.path}/output")

    @declare.field(description="Why it FAILED.")
    @staticmethod
    def error(root: Parent[StepView]) -> ExecutionError | None:
        return ExecutionError.of(root.error)

    @declare.field(description="Model calls of all attempts.")
    @staticmethod
    def model_calls(root: Parent[StepView]) -> list[ModelCall]:
        return [ModelCall.of(call) for call in root.model_calls]

    @declare.field(description="The question while a MANUAL decision waits; null otherwise.")
    @staticmethod
    async def pending_decision(root: Parent[StepView], info: Info) -> PendingDecision | None:
        pending = PendingDecision.of(root)
        is_decided = pending and await info.context.loaders.decision.load(root.id)
        return None if is_decided else pending

    @declare.field(
        description=(
            "What a person chose, also if the step was taken over; null while nobody has, and when"
            " no person did."
        ),
        graphql_type=link("StepDecision") | None,
    )
    @staticmethod
    async def decision(root: Parent[StepView], info: Info) -> rows.Decision | None:
        if root.type is not StepType.DECISION:
            return None
        return await info.context.loaders.decision.load(root.reused_from or root.id)

    @declare.field(
        description=(
            "When its wait ends; null when it does not wait, and when it waits for a person"
            " without end."
        )
    )
    @staticmethod
    def wakes_at(root: Parent[StepView]) -> datetime | None:
        return root.wake_at if root.status is StepStatus.WAITING else None

    @declare.field(description="From `startedAt` to `finishedAt`, or to now.")
    @staticmethod
    def duration_ms(root: Parent[StepView], info: Info) -> SafeInt | None:
        return elapsed_ms(root.started_at, root.finished_at, info.context.engine.clock)
