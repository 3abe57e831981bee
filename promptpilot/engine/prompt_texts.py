"""What a version of a stored prompt says, as typed, immutable values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Who speaks in a turn of a conversation."""

    USER = "USER"
    ASSISTANT = "ASSISTANT"


class PromptVariableType(StrEnum):
    """Type of a prompt variable."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    SELECT = "SELECT"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; in a prompt its content is a template."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class PromptVariable:
    """A placeholder `{{name}}` in a prompt. A default of None means there is none."""

    name: str
    type: PromptVariableType = PromptVariableType.TEXT
    description: str | None = None
    is_required: bool = True
    default: Any = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptText:
    """One version of a prompt: templates for the instructions, earlier turns and last message."""

    content: str
    instructions: str | None = None
    turns: tuple[Turn, ...] = ()
    variables: tuple[PromptVariable, ...] = ()
    version_id: str | None = None
