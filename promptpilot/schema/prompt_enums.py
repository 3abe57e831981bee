"""The enumerations of prompts: the engine's own, each member with its description."""

from __future__ import annotations

from enum import StrEnum

from promptpilot.engine import prompt_texts, version_numbers
from promptpilot.schema.description import described


class PromptOrderField(StrEnum):
    """What prompts are sorted by."""

    NAME = "NAME"
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"


described(
    PromptOrderField,
    "PromptOrderField",
    "What prompts are sorted by.",
    NAME="Name.",
    CREATED_AT="Time made.",
    UPDATED_AT="Time of the last change.",
)
described(
    version_numbers.ChangeType,
    "VersionChangeType",
    "How big a change to a prompt is (semantic versioning).",
    PATCH="x.y.Z",
    MINOR="x.Y.0",
    MAJOR="X.0.0",
)
described(
    prompt_texts.PromptVariableType,
    "PromptVariableType",
    "Type of a prompt variable.",
    TEXT="Free text.",
    NUMBER="A number.",
    BOOLEAN="True or false.",
    SELECT="One of `options`.",
)
described(
    prompt_texts.Role,
    "TurnRole",
    "Who speaks in a turn of a conversation.",
    USER="The one who asks.",
    ASSISTANT="The model.",
)
