"""Executions: one run of a workflow each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.feed import encode_cursor
from promptpilot.engine.lifecycle import ExecutionStatus, WaitReason, shown_status
from promptpilot.engine.progress import StepView
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.durations import elapsed_ms
from promptpilot.schema.event_pages import event_page
from promptpilot.schema.given import given
from promptpilot.schema.links import link, links
from promptpilot.schema.loaders import if_any
from promptpilot.schema.paging import Page, PageRequest
from promptpilot.schema.scalars import URL, JSONObject, SafeInt
from promptpilot.schema.selection import shown_execution, shown_firing, shown_steps
from promptpilot.schema.types.execution_input import WorkflowStepExecutionFilter
from promptpilot.schema.types.outcome import ExecutionError, TokenUsage
from promptpilot.schema.types.relay import Node


@strawberry.type(description="One run of a workflow.")
class WorkflowExecution(Node):
    """One run of a workflow."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    workflow_revision: int = strawberry.field(
        description="Revision of the definition that it runs."
    )
    trigger_type: TriggerType = strawberry.field(description="What started it.")
    input: JSONObject = strawberry.field(description="Values it started with, defaults filled in.")
    output: JSONObject | None = strawberry.field(
        description="OUTPUT variables; null until COMPLETED."
    )
    idempotency_key: str | None = strawberry.field(
        description="Key given by the caller; the same key starts nothing twice."
    )
    created_at: datetime = strawberry.field(description="When it was accepted.")
    started_at: datetime | None = strawberry.field(description="When a worker first took it.")
    finished_at: datetime | None = strawberry.field(description="When it became final.")
    cancel_requested_at: datetime | None = strawberry.field(
        description="When cancelling was asked for."
    )
    pause_requested_at: datetime | None = strawberry.field(
        description="When pausing was asked for; null again when it goes on."
    )
    deadline_at: datetime | None = strawberry.field(
        description="When it fails unless it has ended, waits included; null means never."
    )
    recovery_count: int = strawberry.field(
        description="How often it went on after its worker was lost."
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.Execution)

    @declare.field(
        description="The workflow; null when it was deleted.", graphql_type=link("Workflow") | None
    )
    @staticmethod
    async def workflow(root: Parent[rows.Execution], info: Info) -> rows.Workflow | None:
        return await info.context.loaders.workflow.load(root.workflow_id)

    @declare.field(
        description="The trigger; null for direct starts and deleted triggers.",
        graphql_type=link("WorkflowTrigger") | None,
    )
    @staticmethod
    async def trigger(root: Parent[rows.Execution], info: Info) -> rows.Trigger | None:
        return await if_any(info.context.loaders.trigger, root.trigger_id)

    @declare.field(
        description="The firing that started it; null for direct starts.",
        graphql_type=link("TriggerFiring") | None,
    )
    @staticmethod
    async def firing(root: Parent[rows.Execution], info: Info) -> rows.Firing | None:
        return await shown_firing(info, root.firing_id)

    @declare.field(
        description="Who started it by hand; null for all others, and when the account is gone.",
        graphql_type=link("User") | None,
    )
    @staticmethod
    async def started_by(root: Parent[rows.Execution], info: Info) -> rows.User | None:
        return await if_any(info.context.loaders.user, root.started_by)

    @declare.field(description="Where it is.")
    @staticmethod
    def status(root: Parent[rows.Execution]) -> ExecutionStatus:
        return _shown(root)

    @declare.field(description="Where to download an output that was cut; null if it was not.")
    @staticmethod
    def output_url(root: Parent[rows.Execution], info: Info) -> URL | None:
        if root.output_bytes is None:
            return None
        return URL(f"{info.context.engine.settings.public_url}/api/executions/{root.id}/output")

    @declare.field(description="Why it FAILED.")
    @staticmethod
    def error(root: Parent[rows.Execution]) -> ExecutionError | None:
        return ExecutionError.of(root.error)

    @declare.field(
        description="Steps reached so far and still to come, in order.",
        graphql_type=links("WorkflowStepExecution"),
    )
    @staticmethod
    async def steps(
        root: Parent[rows.Execution],
        info: Info,
        where: Annotated[
            WorkflowStepExecutionFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
    ) -> list[StepView]:
        views = await shown_steps(info, root)
        wanted = given(where.statuses) if where else None
        return [view for view in views if wanted is None or view.status in wanted]

    @declare.connection(
        "ExecutionEventConnection",
        (
            "What happened, oldest first: the same events, with the same cursors, as the"
            " `executionEvents` subscription."
        ),
    )
    @staticmethod
    async def events(
        root: Parent[rows.Execution], info: Info, page: PageRequest
    ) -> Page[rows.ExecutionEvent]:
        return await event_page(root.id, page.read_by(info.context.together))

    @declare.field(
        description=(
            "Cursor of the newest event: read the execution, then subscribe with `after` to"
            " miss nothing."
        )
    )
    @staticmethod
    def event_cursor(root: Parent[rows.Execution]) -> str:
        return encode_cursor(root.id, root.last_seq)

    @declare.field(description="Tokens and money so far.")
    @staticmethod
    def usage(root: Parent[rows.Execution]) -> TokenUsage:
        cost = None if root.has_unknown_cost else root.cost_micros
        return TokenUsage.of(root.prompt_tokens, root.completion_tokens, cost)

    @declare.field(
        description="The execution this one repeats.", graphql_type=link("WorkflowExecution") | None
    )
    @staticmethod
    async def retry_of(root: Parent[rows.Execution], info: Info) -> rows.Execution | None:
        return await shown_execution(info, root.retry_of_id)

    @declare.field(description="From `startedAt` to `finishedAt`, or to now.")
    @staticmethod
    def duration_ms(root: Parent[rows.Execution], info: Info) -> SafeInt | None:
        return elapsed_ms(root.started_at, root.finished_at, info.context.engine.clock)

    @declare.field(description="What it waits for while WAITING.")
    @staticmethod
    def wait_reason(root: Parent[rows.Execution]) -> WaitReason | None:
        is_handover = root.wait_reason == WaitReason.HANDOVER
        return WaitReason(root.wait_reason) if root.wait_reason and not is_handover else None

    @declare.field(
        description="When the next step may run while WAITING; null if it waits for a person."
    )
    @staticmethod
    def resumes_at(root: Parent[rows.Execution]) -> datetime | None:
        is_waiting = _shown(root) is ExecutionStatus.WAITING
        return root.ready_at if is_waiting and root.wait_reason != WaitReason.DECISION else None


def _shown(execution: rows.Execution) -> ExecutionStatus:
    reason = WaitReason(execution.wait_reason) if execution.wait_reason else None
    return shown_status(ExecutionStatus(execution.status), reason)
