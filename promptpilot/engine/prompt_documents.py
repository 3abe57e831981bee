"""The JSON documents that versions of prompts store: their turns and their variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from promptpilot.engine.prompt_texts import (
    PromptText,
    PromptVariable,
    PromptVariableType,
    Role,
    Turn,
)
from promptpilot.engine.version_numbers import VersionNumber
from promptpilot.errors import InvariantBroken
from promptpilot.models import PromptVersion


def number_of(row: PromptVersion) -> VersionNumber:
    """Return the number of a stored version."""
    return VersionNumber(row.major, row.minor, row.patch)


def text_of(row: PromptVersion) -> PromptText:
    """Return what a stored version says. Raises `InvariantBroken` for what was not stored here."""
    try:
        return PromptText(
            content=row.content,
            instructions=row.instructions,
            turns=tuple(Turn(Role(each["role"]), each["content"]) for each in row.turns),
            variables=tuple(_variable(each) for each in row.variables),
            version_id=row.id,
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise InvariantBroken(f"Prompt version {row.id} cannot be read: {fault!r}") from fault


def columns_of(text: PromptText) -> dict[str, Any]:
    """Return the columns of a version that says this."""
    return {
        "content": text.content,
        "instructions": text.instructions,
        "turns": turn_documents(text.turns),
        "variables": [asdict(each) | {"options": list(each.options)} for each in text.variables],
    }


def turn_documents(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns as JSON."""
    return [{"role": each.role.value, "content": each.content} for each in turns]


def _variable(document: Mapping[str, Any]) -> PromptVariable:
    return PromptVariable(
        name=document["name"],
        type=PromptVariableType(document["type"]),
        description=document["description"],
        is_required=document["is_required"],
        default=document["default"],
        options=tuple(document["options"]),
    )
