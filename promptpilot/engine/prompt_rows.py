"""Turns a prompt and what it says into rows: the prompt, and the version that says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from promptpilot import ids
from promptpilot.engine.drafts import UNSET
from promptpilot.engine.principal import Principal
from promptpilot.engine.prompt_documents import columns_of, number_of
from promptpilot.engine.prompt_drafts import PromptChange, PromptDraft
from promptpilot.engine.prompt_texts import PromptText
from promptpilot.engine.version_numbers import ChangeType, VersionNumber
from promptpilot.models import Prompt, PromptVersion


def prompt_row(principal: Principal, draft: PromptDraft, now: datetime) -> Prompt:
    """Return a new prompt, without a version yet."""
    return Prompt(
        id=ids.new_id(ids.Kind.PROMPT),
        workspace_id=principal.workspace_id,
        revision=1,
        created_by=principal.user_id,
        created_at=now,
        updated_at=now,
        **field_columns(draft),
    )


def first_version(prompt: Prompt, text: PromptText) -> PromptVersion:
    """Return the first version of a new prompt."""
    return PromptVersion(
        id=ids.new_id(ids.Kind.PROMPT_VERSION),
        prompt_id=prompt.id,
        **_number(VersionNumber()),
        **columns_of(text),
        change_type=ChangeType.MAJOR.value,
        created_by=prompt.created_by,
        created_at=prompt.created_at,
    )


def next_version(
    prompt: Prompt,
    parent: PromptVersion,
    text: PromptText,
    change: ChangeType,
    message: str | None,
    author_id: str,
) -> PromptVersion:
    """Return the version that follows `parent`, made when the prompt was last changed."""
    return PromptVersion(
        id=ids.new_id(ids.Kind.PROMPT_VERSION),
        prompt_id=prompt.id,
        **_number(number_of(parent).after(change)),
        **columns_of(text),
        change_type=change.value,
        commit_message=message,
        parent_id=parent.id,
        created_by=author_id,
        created_at=prompt.updated_at,
    )


def field_columns(asked: PromptDraft | PromptChange) -> dict[str, Any]:
    """Return the columns that the given fields beside the text set; None clears them."""
    columns: dict[str, Any] = {}
    if asked.name is not UNSET:
        columns["name"] = asked.name
    if asked.description is not UNSET:
        columns["description"] = asked.description
    if asked.tags is not UNSET:
        columns["tags"] = sorted({tag.strip() for tag in asked.tags or ()})
    if asked.metadata is not UNSET:
        columns["metadata"] = dict(asked.metadata or {})
    return columns


async def overwrite(row: Prompt, revision: int) -> bool:
    """Store a prompt's columns if it still has `revision`; tell whether it had.

    Raises IntegrityError when another prompt has its name.
    """
    changed = await Prompt.filter(id=row.id, revision=revision, deleted_at__isnull=True).update(
        name=row.name,
        description=row.description,
        tags=row.tags,
        metadata=row.metadata,
        revision=row.revision,
        current_version_id=row.current_version_id,
        updated_at=row.updated_at,
    )
    return changed > 0


def freed_name(row: Prompt) -> str:
    """Return the name that a prompt has once it is deleted, so that another may have its own."""
    return f"{row.name}{_mark(row)}"


def shown_name(row: Prompt) -> str:
    """Return the name that people gave the prompt, deleted or not."""
    return row.name.removesuffix(_mark(row))


def _mark(row: Prompt) -> str:
    return f" ({row.id})"


def _number(number: VersionNumber) -> dict[str, int]:
    return {"major": number.major, "minor": number.minor, "patch": number.patch}
