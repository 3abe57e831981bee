"""What callers ask for when they make, change or take back a prompt.

Rules: a draft says everything; in a change UNSET leaves a field as it is. Nothing here is checked
yet; the verbs do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptpilot.engine.drafts import UNSET, Unset
from promptpilot.engine.prompt_texts import PromptVariable, Turn
from promptpilot.engine.version_numbers import ChangeType


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptDraft:
    """A prompt to be made. Names that are used but not declared become required texts."""

    name: str
    content: str
    description: str | None = None
    instructions: str | None = None
    turns: tuple[Turn, ...] = ()
    variables: tuple[PromptVariable, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptChange:
    """A change of a prompt; `turns`, `variables` and `tags` replace the whole list.

    `change_type` and `commit_message` are for the version, if the change makes one.
    """

    id: str
    expected_revision: int | None = None
    name: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    content: str | Unset | None = UNSET
    instructions: str | Unset | None = UNSET
    turns: tuple[Turn, ...] | Unset | None = UNSET
    variables: tuple[PromptVariable, ...] | Unset | None = UNSET
    tags: tuple[str, ...] | Unset | None = UNSET
    metadata: Mapping[str, Any] | Unset | None = UNSET
    change_type: ChangeType = ChangeType.PATCH
    commit_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptReversal:
    """A version of a prompt that is to be current again, as a new version."""

    id: str
    version_id: str
    commit_message: str | None = None
