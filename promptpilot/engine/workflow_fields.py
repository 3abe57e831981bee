"""The fields of a workflow beside its definition: what callers may give, and what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from promptpilot.engine.drafts import UNSET, WorkflowChange, WorkflowDraft
from promptpilot.engine.fields import (
    check_document,
    check_given,
    check_line,
    check_tags,
    check_text,
)
from promptpilot.errors import InvalidInput
from promptpilot.models import Workflow

MAX_EXECUTION_SECONDS: Final = 365 * 24 * 3600

Asked = WorkflowDraft | WorkflowChange


def field_checks(asked: Asked) -> Iterator[Callable[[], None]]:
    """Yield a check for every field that is given; each raises what is wrong with its field."""
    if asked.name is not UNSET:
        yield partial(check_line, asked.name, ("input", "name"))
    if asked.description is not UNSET:
        yield partial(check_text, asked.description, ("input", "description"))
    if asked.tags is not UNSET:
        yield partial(check_tags, asked.tags or (), ("input", "tags"))
    if asked.metadata is not UNSET:
        yield partial(check_document, asked.metadata or {}, ("input", "metadata"))
    if asked.is_active is not UNSET:
        yield partial(check_given, asked.is_active, ("input", "isActive"))
    if asked.execution_timeout_seconds is not UNSET:
        yield partial(_check_timeout, asked.execution_timeout_seconds)


def columns_of(asked: Asked) -> dict[str, Any]:
    """Return the columns that the given fields set; None clears them."""
    columns: dict[str, Any] = {}
    if asked.name is not UNSET:
        columns["name"] = asked.name
    if asked.description is not UNSET:
        columns["description"] = asked.description
    if asked.tags is not UNSET:
        columns["tags"] = sorted({tag.strip() for tag in asked.tags or ()})
    if asked.metadata is not UNSET:
        columns["metadata"] = dict(asked.metadata or {})
    if asked.is_active is not UNSET:
        columns["is_active"] = asked.is_active
    if asked.execution_timeout_seconds is not UNSET:
        columns["execution_timeout_seconds"] = asked.execution_timeout_seconds
    return columns


async def overwrite(row: Workflow, revision: int) -> bool:
    """Store a workflow's columns if it still has `revision`; tell whether it had."""
    changed = await Workflow.filter(
        id=row.id, workspace_id=row.workspace_id, revision=revision
    ).update(
        name=row.name,
        description=row.description,
        tags=row.tags,
        metadata=row.metadata,
        is_active=row.is_active,
        execution_timeout_seconds=row.execution_timeout_seconds,
        revision=row.revision,
        current_version_id=row.current_version_id,
        updated_at=row.updated_at,
    )
    return changed > 0


def _check_timeout(seconds: int | None) -> None:
    if seconds is not None and not 1 <= seconds <= MAX_EXECUTION_SECONDS:
        message = (
            f"executionTimeoutSeconds is {seconds}; it must be 1 to {MAX_EXECUTION_SECONDS} "
            "(365 days), or null for no limit."
        )
        raise InvalidInput(message, ("input", "executionTimeoutSeconds"))
