"""Workflows: the draft in rows of its own, and the immutable versions that executions pin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise import fields

from promptpilot.models.columns import InstantField, JsonField, KeyField, Row


class Workflow(Row):
    """A list of steps that run with given inputs. `revision` grows by one with every change."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    name: str = fields.TextField()
    description: str | None = fields.TextField(null=True)
    is_active = fields.BooleanField()
    tags: list[str] = JsonField()
    metadata: dict[str, Any] = JsonField()
    revision: int = fields.BigIntField()
    current_version_id: str = fields.TextField()
    #: Bounds an execution from its start, waits included; None does not.
    execution_timeout_seconds: int | None = fields.BigIntField(null=True)
    created_by: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()
    updated_at: datetime = InstantField()

    class Meta:
        table = "workflows"


class WorkflowStep(Row):
    """A step as it is now; `position` counts from 0, name and position are unique in a workflow."""

    id: str = KeyField()
    workflow_id: str = fields.TextField()
    position: int = fields.BigIntField()
    name: str = fields.TextField()
    type: str = fields.TextField()
    config: dict[str, Any] = JsonField()
    #: The stored prompt that a PROMPT step uses.
    prompt_id: str | None = fields.TextField(null=True)
    inputs: dict[str, str] = JsonField()
    outputs: dict[str, str] = JsonField()
    run_if: str | None = fields.TextField(null=True)
    retry: dict[str, Any] = JsonField()
    timeout_seconds: int | None = fields.BigIntField(null=True)
    continue_on_error = fields.BooleanField()
    on_unknown_outcome: str = fields.TextField(default="RETRY")

    class Meta:
        table = "workflow_steps"


class WorkflowVariable(Row):
    """A declared variable as it is now; its name is unique in the workflow."""

    id: str = KeyField()
    workflow_id: str = fields.TextField()
    position: int = fields.BigIntField()
    name: str = fields.TextField()
    kind: str = fields.TextField()
    data_type: str = fields.TextField()
    description: str | None = fields.TextField(null=True)
    is_required = fields.BooleanField()
    default_value: Any = JsonField(null=True)
    validation: dict[str, Any] | None = JsonField(null=True)

    class Meta:
        table = "workflow_variables"


class WorkflowVersion(Row):
    """A definition that never changes. Rows are only ever added; (workflow, number) is unique."""

    id: str = KeyField()
    workspace_id: str = fields.TextField()
    workflow_id: str = fields.TextField()
    number: int = fields.BigIntField()
    definition: dict[str, Any] = JsonField()
    definition_hash: str = fields.TextField()
    created_by: str | None = fields.TextField(null=True)
    created_at: datetime = InstantField()

    class Meta:
        table = "workflow_versions"
