"""What lists show: the caller's rows, less what a filter leaves out, in the order asked for.

Rules: those of `conditions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from promptpilot import ids
from promptpilot.engine.dead_letters import DeadLetterStatus
from promptpilot.engine.fields import MAX_NAME, MAX_TAGS
from promptpilot.engine.lifecycle import ExecutionStatus, WaitReason
from promptpilot.engine.principal import Principal
from promptpilot.errors import InvalidInput
from promptpilot.models import (
    DeadLetter,
    Execution,
    Firing,
    WebhookDelivery,
    Workflow,
    WorkflowStep,
)
from promptpilot.models.database import Database, Dialect
from promptpilot.schema.conditions import by_ids, by_values, is_storable, made_in
from promptpilot.schema.enums import (
    OrderDirection,
    WorkflowExecutionOrderField,
    WorkflowOrderField,
)
from promptpilot.schema.given import given
from promptpilot.schema.paging import Page, PageRequest, Sorting, page_of
from promptpilot.schema.types.dead_letter import DeadLetterFilter
from promptpilot.schema.types.execution_input import (
    WorkflowExecutionFilter,
    WorkflowExecutionOrder,
)
from promptpilot.schema.types.trigger_input import TriggerFiringFilter
from promptpilot.schema.types.webhook_delivery import WebhookDeliveryFilter
from promptpilot.schema.types.workflow_input import WorkflowFilter, WorkflowOrder

#: Counting a longer list of executions would cost more than the number is worth.
MAX_COUNTED: Final = 10_000

_MAX_CODES: Final = 100
_NOTHING: Final = Q(id__in=[])


def executions(principal: Principal, where: WorkflowExecutionFilter | None) -> QuerySet[Execution]:
    """Return the caller's executions that a filter lets through."""
    rows = Execution.filter(workspace_id=principal.workspace_id)
    if not where:
        return rows
    rows = by_ids(rows, "workflow_id", where.workflow_ids, ids.Kind.WORKFLOW)
    rows = by_ids(rows, "trigger_id", where.trigger_ids, ids.Kind.TRIGGER)
    rows = by_values(rows, "trigger_type", where.trigger_types)
    rows = by_values(rows, "wait_reason", where.wait_reasons)
    rows = made_in(rows, where.created_at)
    if (statuses := given(where.statuses)) is not None:
        rows = rows.filter(_shown_as(statuses))
    if (key := given(where.idempotency_key)) is not None:
        rows = rows.filter(Q(idempotency_key=key) if is_storable(key) else _NOTHING)
    return rows


async def execution_page(
    rows: QuerySet[Execution], order: WorkflowExecutionOrder | None, page: PageRequest
) -> Page[Execution]:
    """Return a page of executions, the newest first unless another order is asked for."""
    order = order or WorkflowExecutionOrder()
    key = '"executions"."created_at"'
    if order.field is WorkflowExecutionOrderField.FINISHED_AT:
        key = f'COALESCE("executions"."finished_at", {2**63 - 1})'  # unfinished is newest
    sorting = Sorting(f"executions.{order.field}", key, order.direction is OrderDirection.DESC)
    return await page_of(rows, sorting, page, MAX_COUNTED)


def dead_letters(principal: Principal, where: DeadLetterFilter | None) -> QuerySet[DeadLetter]:
    """Return the caller's dead letters that a filter lets through; OPEN ones if it names none."""
    rows = DeadLetter.filter(workspace_id=principal.workspace_id)
    statuses = given(where.statuses) if where else None
    rows = by_values(rows, "status", [DeadLetterStatus.OPEN] if statuses is None else statuses)
    if not where:
        return rows
    rows = by_ids(rows, "workflow_id", where.workflow_ids, ids.Kind.WORKFLOW)
    return by_values(rows, "error_code", _error_codes(given(where.error_codes)))


async def dead_letter_page(rows: QuerySet[DeadLetter], page: PageRequest) -> Page[DeadLetter]:
    """Return a page of dead letters, the newest first."""
    key = '"dead_letters"."created_at"'
    return await page_of(
        rows, Sorting("dead_letters.CREATED_AT", key, is_descending=True), page, MAX_COUNTED
    )


def firings(principal: Principal, where: TriggerFiringFilter | None) -> QuerySet[Firing]:
    """Return the caller's firings that a filter lets through."""
    rows = Firing.filter(workspace_id=principal.workspace_id)
    if not where:
        return rows
    return made_in(by_values(rows, "outcome", where.outcomes), where.created_at)


async def firing_page(rows: QuerySet[Firing], page: PageRequest) -> Page[Firing]:
    """Return a page of firings, the newest first."""
    sorting = Sorting("firings.CREATED_AT", '"firings"."created_at"', is_descending=True)
    return await page_of(rows, sorting, page)


def deliveries(
    principal: Principal, where: WebhookDeliveryFilter | None
) -> QuerySet[WebhookDelivery]:
    """Return the caller's deliveries that a filter lets through."""
    rows = WebhookDelivery.filter(workspace_id=principal.workspace_id)
    if not where:
        return rows
    return made_in(by_values(rows, "status", where.statuses), where.created_at)


async def delivery_page(
    rows: QuerySet[WebhookDelivery], page: PageRequest
) -> Page[WebhookDelivery]:
    """Return a page of deliveries, the newest first."""
    key = '"webhook_deliveries"."created_at"'
    return await page_of(rows, Sorting("deliveries.CREATED_AT", key, is_descending=True), page)


async def workflows(
    database: Database, principal: Principal, where: WorkflowFilter | None
) -> QuerySet[Workflow]:
    """Return the caller's workflows that a filter lets through."""
    rows = Workflow.filter(workspace_id=principal.workspace_id)
    if not where:
        return rows
    rows = made_in(by_ids(rows, "id", where.ids, ids.Kind.WORKFLOW), where.created_at)
    if (is_active := given(where.is_active)) is not None:
        rows = rows.filter(is_active=is_active)
    for word in words(given(where.search) or ""):
        contains = Q(name__icontains=word) | Q(description__icontains=word)
        rows = rows.filter(contains if is_storable(word) else _NOTHING)
    if tags := given(where.tags):
        rows = rows.filter(id__in=await tagged(database, principal, "workflows", tags))
    if (prompt_id := given(where.prompt_id)) is not None:
        rows = rows.filter(_uses(prompt_id))
    return rows


async def workflow_page(
    rows: QuerySet[Workflow], order: WorkflowOrder | None, page: PageRequest
) -> Page[Workflow]:
    """Return a page of workflows, the last changed first unless another order is asked for."""
    order = order or WorkflowOrder()
    key_type = str if order.field is WorkflowOrderField.NAME else int
    return await page_of(
        rows,
        Sorting(
            f"workflows.{order.field}",
            _WORKFLOW_KEYS[order.field],
            order.direction is OrderDirection.DESC,
            key_type,
        ),
        page,
    )


_WORKFLOW_KEYS: Final = {
    WorkflowOrderField.NAME: '"workflows"."name"',
    WorkflowOrderField.CREATED_AT: '"workflows"."created_at"',
    WorkflowOrderField.UPDATED_AT: '"workflows"."updated_at"',
    # One that was never executed counts as the oldest.
    WorkflowOrderField.LAST_EXECUTED_AT: (
        "COALESCE((SELECT MAX(e.created_at) FROM executions e"
        ' WHERE e.workflow_id = "workflows"."id"), -1)'
    ),
}

_HAS_TAG: Final = {
    Dialect.SQLITE: "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = {0})",
    Dialect.POSTGRES: "jsonb_exists(tags::jsonb, {0})",
}


async def tagged(
    database: Database,
    principal: Principal,
    table: Literal["workflows", "prompts"],
    tags: Sequence[str],
) -> list[str]:
    """Return the ids of the caller's rows that have all of these tags."""
    wanted = list(dict.fromkeys(tags))
    if len(wanted) > MAX_TAGS or not all(is_storable(tag) for tag in wanted):
        return []
    has = [_HAS_TAG[database.dialect].format(f"${number + 2}") for number in range(len(wanted))]
    conditions = " AND ".join(has)
    sql = f"SELECT id FROM {table} WHERE workspace_id = $1 AND {conditions}"  # noqa: S608 -- ours
    found = await database.fetch(sql, principal.workspace_id, *wanted)
    return [row["id"] for row in found]


def _uses(prompt_id: str) -> Q:
    """Select the workflows with a step that uses a prompt."""
    if not ids.is_id(prompt_id, ids.Kind.PROMPT):
        return _NOTHING
    steps = WorkflowStep.filter(prompt_id=prompt_id)
    return Q(id__in=Subquery(steps.values("workflow_id")))


def words(search: str) -> list[str]:
    """Return what is searched for; raise InvalidInput for more than a database can look for."""
    if len(search) > MAX_NAME:
        message = f"search may have at most {MAX_NAME} characters."
        raise InvalidInput(message, ("where", "search"))
    return search.split()


def _error_codes(codes: Sequence[str] | None) -> list[str] | None:
    """Return the codes that can be stored; raise InvalidInput for more than there may be."""
    if codes is None:
        return None
    if len(codes) > _MAX_CODES:
        message = f"Give at most {_MAX_CODES} error codes, not {len(codes)}."
        raise InvalidInput(message, ("where", "errorCodes"))
    return [code for code in codes if is_storable(code)]


def _shown_as(statuses: Sequence[ExecutionStatus]) -> Q:
    """Select by the status that users see: a handover between workers is RUNNING to them."""
    handover = Q(wait_reason=WaitReason.HANDOVER.value)
    wanted = Q(status__in=sorted({status.value for status in statuses}))
    if ExecutionStatus.RUNNING in statuses and ExecutionStatus.WAITING not in statuses:
        return wanted | handover
    if ExecutionStatus.WAITING in statuses and ExecutionStatus.RUNNING not in statuses:
        other = Q(wait_reason__isnull=True) | Q(wait_reason__not=WaitReason.HANDOVER.value)
        return wanted & other
    return wanted
