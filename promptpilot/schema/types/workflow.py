"""Workflows, and what is found when they are checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.fault import Fault
from promptpilot.engine.lifecycle import ExecutionStatus
from promptpilot.schema import declare, filters
from promptpilot.schema.context import Info
from promptpilot.schema.enums import (
    IssueSeverity,
)
from promptpilot.schema.links import link, links
from promptpilot.schema.paging import Page, PageRequest
from promptpilot.schema.scalars import JSONObject, SafeInt
from promptpilot.schema.selection import EXECUTION, for_nodes
from promptpilot.schema.statistics import WorkflowNumbers, workflow_numbers
from promptpilot.schema.types.execution_input import WorkflowExecutionFilter, WorkflowExecutionOrder
from promptpilot.schema.types.outcome import TokenUsage
from promptpilot.schema.types.relay import DateTimeRange, Node
from promptpilot.schema.types.trigger_input import WorkflowTriggerFilter


@strawberry.type(description="Number of executions in one status.")
class ExecutionStatusCount:
    """Number of executions in one status."""

    status: ExecutionStatus = strawberry.field(description="Status.")
    count: SafeInt = strawberry.field(description="How many.")


@strawberry.type(description="How a workflow has been doing.")
class WorkflowStatistics:
    """How a workflow has been doing."""

    counts_by_status: list[ExecutionStatusCount] = strawberry.field(
        description="Executions by status."
    )
    median_duration_ms: SafeInt | None = strawberry.field(
        description="Median duration of completed ones; null if none."
    )
    p95_duration_ms: SafeInt | None = strawberry.field(
        description="95th percentile of the duration; null if none."
    )
    usage: TokenUsage = strawberry.field(description="Tokens and money.")


@strawberry.type(description="A finding of the workflow check.")
class WorkflowIssue:
    """A finding of the workflow check."""

    severity: IssueSeverity = strawberry.field(description="How bad.")
    code: str = strawberry.field(description="Program-readable kind, e.g. `UNKNOWN_VARIABLE`.")
    message: str = strawberry.field(description="English sentence.")
    step: rows.WorkflowStep | None = strawberry.field(
        graphql_type=link("WorkflowStep") | None,
        description="Step it is about; null for the workflow as a whole.",
    )
    path: list[str] | None = strawberry.field(description="Path inside the step's config.")


@strawberry.type(description="A list of steps that run with given inputs.")
class Workflow(Node):
    """A list of steps that run with given inputs."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    name: str = strawberry.field(description="Name.")
    description: str | None = strawberry.field(description="What it is for.")
    is_active: bool = strawberry.field(
        description="Inactive workflows take no new executions from triggers."
    )
    tags: list[str] = strawberry.field(description="Labels, sorted.")
    metadata: JSONObject = strawberry.field(description="Free data of the user.")
    revision: int = strawberry.field(
        description=(
            "Grows by one with every change of the definition; running executions keep the"
            " revision they started with."
        )
    )
    execution_timeout_seconds: int | None = strawberry.field(
        description=(
            "Time an execution has from its start, waits included; null means without end."
        )
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.Workflow)

    @declare.field(description="Owner.", graphql_type=link("User"))
    @staticmethod
    async def owner(root: Parent[rows.Workflow], info: Info) -> rows.User | None:
        return await info.context.loaders.user.load(info.context.require().user_id)

    @declare.field(
        description="Steps in order; at most `ServerLimits.maxSteps`.",
        graphql_type=links("WorkflowStep"),
    )
    @staticmethod
    async def steps(root: Parent[rows.Workflow], info: Info) -> list[rows.WorkflowStep]:
        return await info.context.loaders.steps.load(root.id)

    @declare.field(
        description="Declared inputs, outputs and intermediate values.",
        graphql_type=links("WorkflowVariable"),
    )
    @staticmethod
    async def variables(root: Parent[rows.Workflow], info: Info) -> list[rows.WorkflowVariable]:
        return await info.context.loaders.variables.load(root.id)

    @declare.field(description="Ways to start it.", graphql_type=links("WorkflowTrigger"))
    @staticmethod
    async def triggers(
        root: Parent[rows.Workflow],
        info: Info,
        where: Annotated[
            WorkflowTriggerFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
    ) -> list[rows.Trigger]:
        found = await info.context.loaders.triggers.load(root.id)
        return [trigger for trigger in found if not where or where.matches(trigger)]

    @declare.connection("WorkflowExecutionConnection", "Its executions, newest first.")
    @staticmethod
    async def executions(
        root: Parent[rows.Workflow],
        info: Info,
        page: PageRequest,
        where: Annotated[
            WorkflowExecutionFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
        order_by: Annotated[
            WorkflowExecutionOrder | None, strawberry.argument(description="Order.")
        ] = strawberry.UNSET,
    ) -> Page[rows.Execution]:
        wanted = filters.executions(info.context.require(), where).filter(workflow_id=root.id)
        page = for_nodes(page, EXECUTION, info).read_by(info.context.together)
        return await filters.execution_page(wanted, order_by, page)

    @declare.field(
        description="Counts over a window (at most 90 days).", graphql_type=WorkflowStatistics
    )
    @staticmethod
    async def statistics(
        root: Parent[rows.Workflow],
        info: Info,
        window: Annotated[
            DateTimeRange | None,
            strawberry.argument(description="Time range; the last 7 days if not given."),
        ] = strawberry.UNSET,
    ) -> WorkflowNumbers:
        return await workflow_numbers(info.context, root.id, window)

    @declare.field(description="Problems that would make an execution fail; empty when it can run.")
    @staticmethod
    async def issues(root: Parent[rows.Workflow], info: Info) -> list[WorkflowIssue]:
        loaders = info.context.loaders
        faults = await loaders.faults.load(root.current_version_id)
        steps = {step.name: step for step in await loaders.steps.load(root.id)} if faults else {}
        return [_issue(fault, steps) for fault in faults]


def _issue(fault: Fault, steps: Mapping[str, rows.WorkflowStep]) -> WorkflowIssue:
    is_inside = fault.path[:1] == ("steps",)
    inner = fault.path[2:] if is_inside else fault.path
    return WorkflowIssue(
        severity=IssueSeverity(fault.severity),
        code=fault.code,
        message=fault.message,
        step=steps.get(fault.step_name) if fault.step_name else None,
        path=list(inner[1:] if inner[:1] == ("config",) else inner) or None,
    )
