"""Triggers of a workflow."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.lifecycle import ExecutionStatus
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.schema import declare, filters
from promptpilot.schema.context import Info
from promptpilot.schema.links import link
from promptpilot.schema.paging import Page, PageRequest
from promptpilot.schema.scalars import JSONObject, SafeInt
from promptpilot.schema.selection import EXECUTION, FIRING, for_nodes
from promptpilot.schema.statistics import TriggerNumbers, trigger_numbers
from promptpilot.schema.types.execution_input import WorkflowExecutionFilter
from promptpilot.schema.types.relay import DateTimeRange, Node
from promptpilot.schema.types.trigger_config import TriggerConfig, show_config
from promptpilot.schema.types.trigger_input import TriggerFiringFilter


@strawberry.type(description="How the executions of a trigger went.")
class TriggerStats:
    """How the executions of a trigger went."""

    started_count: int = strawberry.field(description="Executions started.")
    completed_count: int = strawberry.field(description="Of these COMPLETED.")
    failed_count: int = strawberry.field(description="Of these FAILED.")
    not_started_count: int = strawberry.field(description="Firings that started nothing.")
    median_duration_ms: SafeInt | None = strawberry.field(
        description="Median duration; null without finished executions."
    )
    p95_duration_ms: SafeInt | None = strawberry.field(
        description="95th percentile of the duration."
    )
    last_status: ExecutionStatus | None = strawberry.field(
        description="Status of the newest execution."
    )
    last_duration_ms: SafeInt | None = strawberry.field(
        description="Duration of the newest finished execution."
    )
    consecutive_failure_count: int = strawberry.field(
        description="Failures since the last success."
    )


@strawberry.type(description="A way to start a workflow.")
class WorkflowTrigger(Node):
    """A way to start a workflow."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    name: str = strawberry.field(description="Name.")
    type: TriggerType = strawberry.field(description="Kind; says which member `config` is.")
    is_active: bool = strawberry.field(description="Does nothing while false.")
    input: JSONObject = strawberry.field(
        description="Default input; the caller's or payload's values win."
    )
    paused_reason: str | None = strawberry.field(
        description=(
            "Why the server switched it off (e.g. too many failures in a row); null while"
            " active or switched off by a person."
        )
    )
    next_run_at: datetime | None = strawberry.field(
        description="Next time a SCHEDULED trigger fires; null for others and while inactive."
    )
    revision: int = strawberry.field(description="Grows by one with every change.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.Trigger)

    @declare.field(description="Settings.")
    @staticmethod
    def config(root: Parent[rows.Trigger], info: Info) -> TriggerConfig:
        return show_config(root, info.context.engine.settings.public_url)

    @declare.field(description="The workflow.", graphql_type=link("Workflow"))
    @staticmethod
    async def workflow(root: Parent[rows.Trigger], info: Info) -> rows.Workflow | None:
        return await info.context.loaders.workflow.load(root.workflow_id)

    @declare.field(description="How its executions went.", graphql_type=TriggerStats)
    @staticmethod
    async def stats(
        root: Parent[rows.Trigger],
        info: Info,
        range_: Annotated[
            DateTimeRange | None,
            strawberry.argument(
                name="range", description="Over this range; the last 24 hours if left out."
            ),
        ] = strawberry.UNSET,
    ) -> TriggerNumbers:
        return await trigger_numbers(info.context, root.id, range_)

    @declare.field(description="When it last started an execution.")
    @staticmethod
    async def last_triggered_at(root: Parent[rows.Trigger], info: Info) -> datetime | None:
        return await info.context.loaders.last_triggered_at.load(root.id)

    @declare.connection("WorkflowExecutionConnection", "Executions it started, newest first.")
    @staticmethod
    async def executions(
        root: Parent[rows.Trigger],
        info: Info,
        page: PageRequest,
        where: Annotated[
            WorkflowExecutionFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
    ) -> Page[rows.Execution]:
        wanted = filters.executions(info.context.require(), where).filter(trigger_id=root.id)
        page = for_nodes(page, EXECUTION, info).read_by(info.context.together)
        return await filters.execution_page(wanted, None, page)

    @declare.connection(
        "TriggerFiringConnection",
        ("Every time it fired, was called or was due, whatever came of it, newest first."),
    )
    @staticmethod
    async def firings(
        root: Parent[rows.Trigger],
        info: Info,
        page: PageRequest,
        where: Annotated[
            TriggerFiringFilter | None, strawberry.argument(description="Filter.")
        ] = strawberry.UNSET,
    ) -> Page[rows.Firing]:
        wanted = filters.firings(info.context.require(), where).filter(trigger_id=root.id)
        page = for_nodes(page, FIRING, info).read_by(info.context.together)
        return await filters.firing_page(wanted, page)
