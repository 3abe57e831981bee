"""What stands in every list of the schema, made so that many items have the same place in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from promptpilot import ids
from promptpilot.clock import from_ms
from promptpilot.engine.principal import Principal
from promptpilot.models import (
    AuditEntry,
    ExecutionEvent,
    Firing,
    Prompt,
    PromptVersion,
    Trigger,
    WebhookDelivery,
    WebhookEndpoint,
    Workflow,
)
from promptpilot.models.columns import Row
from tests.schema.rows import dead_letter_row, execution_row

#: Later than everything that has an end.
_NEVER: Final = 2**63 - 1
_NAMES: Final = ("Zoe", "a", "a b", "anna", "B", "é", "_", "%", "10", "9")


@dataclass(frozen=True, slots=True)
class Item:
    """Something in a list: how it is shown there, what it is sorted by, and its rows.

    `keys` maps the orders of its list to its place; a list without orders has the order "".
    """

    shown: Any
    keys: Mapping[str, Any]
    rows: tuple[Row, ...]

    def place(self, order: str) -> tuple[Any, Any]:
        """Return what it is sorted by, with what parts those that have the same key."""
        return self.keys[order], self.shown

    async def remove(self) -> None:
        """Remove it and what was stored with it."""
        for row in self.rows:
            where = {"seq": row.seq} if isinstance(row, ExecutionEvent) else {}
            await type(row).filter(pk=row.pk, **where).delete()


async def store(items: Sequence[Item]) -> None:
    """Store items; what others stand on comes first among their rows."""
    tables: defaultdict[type[Row], list[Row]] = defaultdict(list)
    for row in (row for item in items for row in item.rows):
        tables[type(row)].append(row)
    for table, rows in tables.items():
        await table.bulk_create(rows)


#: Makes an item for somebody, below a parent if its list has one; no two have the same number.
Maker = Callable[[Principal, str, int, Random], Item]


def _new(kind: ids.Kind, principal: Principal, created_ms: int, **others: Any) -> dict[str, Any]:
    own = {"id": ids.new_id(kind), "workspace_id": principal.workspace_id}
    return {**own, "created_at": from_ms(created_ms), **others}


def _timed(row: Row, created_ms: int) -> Item:
    return Item(row.pk, {"": created_ms, "CREATED_AT": created_ms}, (row,))


def workflow(
    principal: Principal, _parent: str, number: int, choice: Random, *, may_run: bool = True
) -> Item:
    """Make a workflow, executed or not."""
    created, updated = choice.randrange(3), choice.randrange(3, 6)
    row = Workflow(
        **_new(ids.Kind.WORKFLOW, principal, created, updated_at=from_ms(updated)),
        name=choice.choice(_NAMES),
        is_active=True,
        tags=[],
        metadata={},
        revision=1,
        current_version_id=ids.new_id(ids.Kind.WORKFLOW_VERSION),
    )
    ran = [choice.randrange(4) for _ in range(number % 3 if may_run else 0)]
    runs = [execution_row(principal, each, workflow_id=row.id) for each in ran]
    keys = {"NAME": row.name, "CREATED_AT": created, "UPDATED_AT": updated}
    return Item(row.id, {**keys, "LAST_EXECUTED_AT": max(ran, default=-1)}, (row, *runs))


def idle_workflow(principal: Principal, parent: str, number: int, choice: Random) -> Item:
    """Make a workflow without executions."""
    return workflow(principal, parent, number, choice, may_run=False)


def execution(principal: Principal, parent: str, _number: int, choice: Random) -> Item:
    """Make an execution, finished or not, of a workflow or started by a trigger."""
    created, finished = choice.randrange(3), choice.choice([None, 3, 4])
    of = {ids.Kind.WORKFLOW: "workflow_id", ids.Kind.TRIGGER: "trigger_id"}
    kind = ids.kind_of(parent)
    above = {of[kind]: parent} if kind else {}
    row = execution_row(principal, created, finished, **above)
    ended = _NEVER if finished is None else finished
    return Item(row.id, {"": created, "CREATED_AT": created, "FINISHED_AT": ended}, (row,))


def event(_principal: Principal, parent: str, number: int, _choice: Random) -> Item:
    """Make an event of an execution."""
    row = ExecutionEvent(
        execution_id=parent,
        seq=number + 1,
        kind="EXECUTION_STATUS_CHANGED",
        at=from_ms(0),
        from_status="PENDING",
        to_status="RUNNING",
    )
    return Item(row.seq, {"": 0}, (row,))


def dead_letter(principal: Principal, _parent: str, _number: int, choice: Random) -> Item:
    """Make an open dead letter with its execution."""
    created = choice.randrange(3)
    failed = execution_row(principal)
    letter = dead_letter_row(failed, created)
    return Item(letter.id, {"": created}, (letter, failed))


def trigger(principal: Principal, _parent: str, number: int, choice: Random) -> Item:
    """Make a trigger with its workflow."""
    owner = idle_workflow(principal, "", number, choice)
    row = Trigger(
        **_new(ids.Kind.TRIGGER, principal, 0, updated_at=from_ms(0)),
        workflow_id=owner.shown,
        name="Manual",
        type="MANUAL",
        is_active=True,
        config={},
        input={},
        revision=1,
    )
    return Item(row.id, {"": 0}, (*owner.rows, row))


def firing(principal: Principal, parent: str, _number: int, choice: Random) -> Item:
    """Make a firing of a trigger."""
    created = choice.randrange(3)
    row = Firing(
        **_new(ids.Kind.FIRING, principal, created),
        trigger_id=parent,
        trigger_type="MANUAL",
        outcome="INACTIVE",
    )
    return _timed(row, created)


def prompt(principal: Principal, _parent: str, number: int, choice: Random) -> Item:
    """Make a prompt; no two of a workspace have the same name."""
    created, updated = choice.randrange(3), choice.randrange(3, 6)
    row = Prompt(
        **_new(ids.Kind.PROMPT, principal, created, updated_at=from_ms(updated)),
        name=f"{choice.choice(_NAMES)}{number}",
        metadata={},
        revision=1,
    )
    keys = {"NAME": row.name, "CREATED_AT": created, "UPDATED_AT": updated}
    return Item(row.id, keys, (row,))


def prompt_version(_principal: Principal, parent: str, number: int, _choice: Random) -> Item:
    """Make a version of a prompt; numbers do not come in the order in which they are made."""
    mixed = number * 7 % 61
    parts = mixed % 2, mixed // 2 % 4, mixed // 8
    row = PromptVersion(
        id=ids.new_id(ids.Kind.PROMPT_VERSION),
        prompt_id=parent,
        **dict(zip(("major", "minor", "patch"), parts, strict=True)),
        content="Hello",
        variables=[],
        change_type="PATCH",
        created_at=from_ms(0),
    )
    return Item(row.id, {"": parts}, (row,))


def audit_entry(principal: Principal, _parent: str, _number: int, choice: Random) -> Item:
    """Make an entry of the audit log."""
    created = choice.randrange(3)
    made = _new(ids.Kind.AUDIT_ENTRY, principal, created)
    row = AuditEntry(**made, action="TRIGGER_CREATED", object_id="nothing", details={})
    return _timed(row, created)


def endpoint(principal: Principal, _parent: str, _number: int, _choice: Random) -> Item:
    """Make a webhook endpoint."""
    row = WebhookEndpoint(
        **_new(ids.Kind.WEBHOOK_ENDPOINT, principal, 0, updated_at=from_ms(0)),
        url="https://example.org/there",
        is_active=False,
        event_types=[],
        workflow_ids=[],
        secret_sealed="sealed",
        secret_preview="whsec_",
    )
    return Item(row.id, {"": 0}, (row,))


def delivery(principal: Principal, parent: str, number: int, choice: Random) -> Item:
    """Make a delivery, to an endpoint if there is one."""
    created = choice.randrange(3)
    row = WebhookDelivery(
        **_new(ids.Kind.WEBHOOK_DELIVERY, principal, created),
        endpoint_id=parent or ids.new_id(ids.Kind.WEBHOOK_ENDPOINT),
        execution_id=ids.new_id(ids.Kind.EXECUTION),
        event_seq=number + 1,
        event_type="execution.completed",
        status="PENDING",
        body="{}",
    )
    return _timed(row, created)


#: What makes the items of each field that answers with a page, and what makes its parent.
MAKERS: Final[Mapping[tuple[str, str], tuple[Maker, Maker | None]]] = {
    ("Query", "workflows"): (workflow, None),
    ("Query", "executions"): (execution, None),
    ("Query", "prompts"): (prompt, None),
    ("Query", "deadLetters"): (dead_letter, None),
    ("Query", "auditLog"): (audit_entry, None),
    ("Query", "webhookDeliveries"): (delivery, None),
    ("Workflow", "executions"): (execution, idle_workflow),
    ("WorkflowTrigger", "executions"): (execution, trigger),
    ("WorkflowTrigger", "firings"): (firing, trigger),
    ("WorkflowExecution", "events"): (event, execution),
    ("Prompt", "versions"): (prompt_version, prompt),
    ("WebhookEndpoint", "deliveries"): (delivery, endpoint),
}
