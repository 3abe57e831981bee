"""Executions and what hangs on them. Read through these rows; only the ledger writes them.

Rows of step executions, attempts, events and decisions have keys of several columns. Tortoise
knows single ones only, so `execution_id` stands as their primary key here: filter them, never
get, save or delete one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise import fields

from promptpilot.models.columns import InstantField, JsonField, KeyField, Row


class Execution(Row):
    """One run of one workflow version.

    Invariants, checked by the database: `finished_at` is set if and only if the status is final;
    a final execution has no lease and no current step; RUNNING has an owner and a lease end.
    """

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    workflow_id: str = fields.TextField()
    workflow_version_id: str = fields.TextField()
    workflow_revision: int = fields.BigIntField()
    status: str = fields.TextField()
    wait_reason: str | None = fields.TextField(null=True)
    #: From when it may be claimed: creation, end of the lease, or the time it waits for.
    ready_at: datetime | None = InstantField(null=True)
    #: Grows by one with every claim; every write of a worker carries it.
    fence: int = fields.BigIntField(default=0)
    owner: str | None = fields.TextField(null=True)
    #: Claims of an expired lease in a row without progress in between.
    crashes: int = fields.BigIntField(default=0)
    recovery_count: int = fields.BigIntField(default=0)
    #: Index of the step that is running or comes next.
    position: int = fields.BigIntField(default=0)
    current_path: str | None = fields.TextField(null=True)
    current_attempt: int = fields.BigIntField(default=0)
    step_started_at: datetime | None = InstantField(null=True)
    attempt_started_at: datetime | None = InstantField(null=True)
    last_seq: int = fields.BigIntField(default=0)
    #: Position of its newest entry in the feed, on PostgreSQL.
    feed_position: int | None = fields.BigIntField(null=True)
    #: When a sweeper last rang for it.
    dispatched_at: datetime = InstantField()
    cancel_requested_at: datetime | None = InstantField(null=True)
    cancel_reason: str | None = fields.TextField(null=True)
    pause_requested_at: datetime | None = InstantField(null=True)
    #: Where a PAUSED execution goes on: its wait; None means at once.
    paused_wait_reason: str | None = fields.TextField(null=True)
    paused_ready_at: datetime | None = InstantField(null=True)
    deadline_at: datetime | None = InstantField(null=True)
    #: Since when its end or a question is to be told to triggers, and the last event told.
    news_at: datetime | None = InstantField(null=True)
    told_seq: int = fields.BigIntField(default=0)
    #: How many platform events lie between it and what first started it all.
    depth: int = fields.BigIntField(default=0)
    priority: int = fields.BigIntField(default=0)
    trigger_type: str = fields.TextField()
    trigger_id: str | None = fields.TextField(null=True)
    firing_id: str | None = fields.TextField(null=True)
    trigger_data: dict[str, Any] | None = JsonField(null=True)
    #: Step name -> version of its prompt, for the steps that follow the current one.
    prompt_versions: dict[str, str] | None = JsonField(null=True)
    started_by: str | None = fields.TextField(null=True)
    idempotency_key: str | None = fields.TextField(null=True)
    retry_of_id: str | None = fields.TextField(null=True)
    input: dict[str, Any] = JsonField()
    output: dict[str, Any] | None = JsonField(null=True)
    #: Set when the output is kept aside; `output` is a preview then.
    output_bytes: int | None = fields.BigIntField(null=True)
    error: dict[str, Any] | None = JsonField(null=True)
    prompt_tokens: int = fields.BigIntField(default=0)
    completion_tokens: int = fields.BigIntField(default=0)
    #: Millionths of a US dollar.
    cost_micros: int = fields.BigIntField(default=0)
    has_unknown_cost = fields.BooleanField(default=False)
    created_at: datetime = InstantField()
    started_at: datetime | None = InstantField(null=True)
    finished_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "executions"


class StepExecution(Row):
    """A step that ended or waits. One row for each (execution, path), final ones never change."""

    execution_id: str = KeyField()
    path: str = fields.TextField()
    position: int = fields.BigIntField()
    step_id: str = fields.TextField()
    step_name: str = fields.TextField()
    step_type: str = fields.TextField()
    status: str = fields.TextField()
    skip_reason: str | None = fields.TextField(null=True)
    attempt: int = fields.BigIntField()
    fence: int = fields.BigIntField()
    started_at: datetime | None = InstantField(null=True)
    attempt_started_at: datetime | None = InstantField(null=True)
    finished_at: datetime | None = InstantField(null=True)
    wake_at: datetime | None = InstantField(null=True)
    input: Any = JsonField(null=True)
    output: Any = JsonField(null=True)
    #: Set when the output is kept aside; `output` is a preview then.
    output_bytes: int | None = fields.BigIntField(null=True)
    error: dict[str, Any] | None = JsonField(null=True)
    model_calls: list[dict[str, Any]] | None = JsonField(null=True)
    reused_from: str | None = fields.TextField(null=True)
    prompt_tokens: int = fields.BigIntField(default=0)
    completion_tokens: int = fields.BigIntField(default=0)
    cost_micros: int | None = fields.BigIntField(null=True)

    class Meta:
        table = "step_executions"


class LargeOutput(Row):
    """An output that is kept aside. One for each (execution, path); `body` is its JSON text."""

    execution_id: str = KeyField()
    path: str = fields.TextField()
    sha256: str = fields.TextField()
    body: str = fields.TextField()
    created_at: datetime = InstantField()

    class Meta:
        table = "large_outputs"


class StepAttempt(Row):
    """An attempt that ended without ending its step: failed with another to come, or lost."""

    execution_id: str = KeyField()
    path: str = fields.TextField()
    number: int = fields.BigIntField()
    fence: int = fields.BigIntField()
    status: str = fields.TextField()
    started_at: datetime = InstantField()
    finished_at: datetime = InstantField()
    error: dict[str, Any] | None = JsonField(null=True)
    next_attempt_at: datetime | None = InstantField(null=True)
    model_calls: list[dict[str, Any]] | None = JsonField(null=True)

    class Meta:
        table = "step_attempts"


class ExecutionEvent(Row):
    """One fact about an execution. `seq` counts from 1 without gaps; rows are only ever added."""

    execution_id: str = KeyField()
    seq: int = fields.BigIntField()
    kind: str = fields.TextField()
    at: datetime = InstantField()
    path: str | None = fields.TextField(null=True)
    attempt: int | None = fields.BigIntField(null=True)
    from_status: str | None = fields.TextField(null=True)
    to_status: str | None = fields.TextField(null=True)
    data: dict[str, Any] | None = JsonField(null=True)

    class Meta:
        table = "execution_events"


class FeedEntry(Row):
    """An event of a status change, at its place in the feed of its workspace.

    Rows are only ever added, before those that no reader can have seen.
    """

    workspace_id: str = KeyField()
    position: int = fields.BigIntField()
    execution_id: str = fields.TextField()
    seq: int = fields.BigIntField()

    class Meta:
        table = "execution_feed"


class Decision(Row):
    """A person's choice at a DECISION step. One for each (execution, path)."""

    execution_id: str = KeyField()
    path: str = fields.TextField()
    choice: str = fields.TextField()
    comment: str | None = fields.TextField(null=True)
    actor_id: str | None = fields.TextField(null=True)
    at: datetime = InstantField()

    class Meta:
        table = "decisions"


class IdempotencyKey(Row):
    """A key that a caller gave. One for each (workspace, operation, key) within 24 hours."""

    workspace_id: str = KeyField()
    operation: str = fields.TextField()
    key: str = fields.TextField()
    request_sha256: str = fields.TextField()
    result_id: str = fields.TextField()
    created_at: datetime = InstantField()

    class Meta:
        table = "idempotency_keys"


class DeadLetter(Row):
    """An execution that no person started and that failed for good. One for each execution."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    workflow_id: str = fields.TextField()
    execution_id: str = fields.TextField()
    status: str = fields.TextField()
    error: dict[str, Any] = JsonField()
    error_code: str = fields.TextField()
    replay_execution_id: str | None = fields.TextField(null=True)
    resolved_by: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()
    resolved_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "dead_letters"
