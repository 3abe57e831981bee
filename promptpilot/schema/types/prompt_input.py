"""Which prompts a list shows, in which order, and how prompts are made, changed and deleted."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from promptpilot.engine import prompt_drafts, prompt_texts
from promptpilot.engine.prompt_texts import PromptVariableType, Role
from promptpilot.engine.version_numbers import ChangeType
from promptpilot.schema.enums import OrderDirection
from promptpilot.schema.given import changed, changed_to, given
from promptpilot.schema.prompt_enums import PromptOrderField
from promptpilot.schema.scalars import JSON, JSONObject
from promptpilot.schema.types.relay import DateTimeRange


@strawberry.input(description="Filter for prompts; all given conditions must hold.")
class PromptFilter:
    """Filter for prompts; all given conditions must hold."""

    ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Only these."
    )
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Words in name, description or text."
    )
    tags: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Has all of these labels."
    )
    created_at: DateTimeRange | None = strawberry.field(
        default=strawberry.UNSET, description="Made in this range."
    )


@strawberry.input(description="Order of prompts. Ties are broken by id.")
class PromptOrder:
    """Order of prompts. Ties are broken by id."""

    field: PromptOrderField = strawberry.field(
        default=PromptOrderField.UPDATED_AT, description="Field."
    )
    direction: OrderDirection = strawberry.field(
        default=OrderDirection.DESC, description="Direction."
    )


@strawberry.input(description="A prompt variable.")
class PromptVariableInput:
    """A prompt variable."""

    name: str = strawberry.field(description="Name used between the braces.")
    type: PromptVariableType = strawberry.field(
        default=PromptVariableType.TEXT, description="Type."
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="What to put there."
    )
    is_required: bool = strawberry.field(default=True, description="Whether a value must be given.")
    default_value: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="Value when none is given."
    )
    options: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Choices of a SELECT variable."
    )

    def to_variable(self) -> prompt_texts.PromptVariable:
        """Return the variable as the engine knows it."""
        return prompt_texts.PromptVariable(
            name=self.name,
            type=self.type,
            description=given(self.description),
            is_required=self.is_required,
            default=given(self.default_value),
            options=tuple(given(self.options) or ()),
        )


@strawberry.input(description="An earlier message of a conversation.")
class PromptTurnInput:
    """An earlier message of a conversation."""

    role: Role = strawberry.field(description="Who says it.")
    content: str = strawberry.field(description="Text, with `{{variables}}`.")


@strawberry.input(description="New prompt.")
class CreatePromptInput:
    """New prompt."""

    name: str = strawberry.field(description="Name, unique per owner.")
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="What it is for."
    )
    content: str = strawberry.field(description="Text with `{{variables}}`.")
    instructions: str | None = strawberry.field(
        default=strawberry.UNSET, description="System instructions, with `{{variables}}`."
    )
    turns: list[PromptTurnInput] | None = strawberry.field(
        default=strawberry.UNSET, description="Earlier messages of the conversation, in order."
    )
    variables: list[PromptVariableInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Variables; those used in the text but not given here become required TEXT.",
    )
    tags: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Labels.")
    metadata: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="Free data."
    )

    def to_draft(self) -> prompt_drafts.PromptDraft:
        """Return the prompt as the engine knows it."""
        return prompt_drafts.PromptDraft(
            name=self.name,
            content=self.content,
            description=given(self.description),
            instructions=given(self.instructions),
            turns=_turns(given(self.turns) or ()),
            variables=_variables(given(self.variables) or ()),
            tags=tuple(given(self.tags) or ()),
            metadata=given(self.metadata) or {},
        )


@strawberry.input(
    description=(
        "Change of a prompt. Changing content, instructions, turns or variables makes a version."
    )
)
class UpdatePromptInput:
    """Change of a prompt."""

    id: strawberry.ID = strawberry.field(description="The prompt.")
    expected_revision: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Fails with CONFLICT if the prompt has another revision by now.",
    )
    name: str | None = strawberry.field(default=strawberry.UNSET, description="New name.")
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="New description; null clears it."
    )
    content: str | None = strawberry.field(default=strawberry.UNSET, description="New text.")
    instructions: str | None = strawberry.field(
        default=strawberry.UNSET, description="New system instructions; null clears them."
    )
    turns: list[PromptTurnInput] | None = strawberry.field(
        default=strawberry.UNSET, description="New earlier messages (the whole list)."
    )
    variables: list[PromptVariableInput] | None = strawberry.field(
        default=strawberry.UNSET, description="New variables (the whole list)."
    )
    tags: list[str] | None = strawberry.field(default=strawberry.UNSET, description="New labels.")
    metadata: JSONObject | None = strawberry.field(
        default=strawberry.UNSET, description="New free data."
    )
    change_type: ChangeType = strawberry.field(
        default=ChangeType.PATCH, description="Size of the change."
    )
    commit_message: str | None = strawberry.field(default=strawberry.UNSET, description="Why.")

    def to_change(self) -> prompt_drafts.PromptChange:
        """Return the change as the engine knows it."""
        return prompt_drafts.PromptChange(
            id=self.id,
            expected_revision=given(self.expected_revision),
            name=changed(self.name),
            description=changed(self.description),
            content=changed(self.content),
            instructions=changed(self.instructions),
            turns=changed_to(self.turns, _turns),
            variables=changed_to(self.variables, _variables),
            tags=changed_to(self.tags, tuple),
            metadata=changed(self.metadata),
            change_type=self.change_type,
            commit_message=given(self.commit_message),
        )


@strawberry.input(description="Make an older version current (as a new version).")
class RevertPromptInput:
    """Make an older version current (as a new version)."""

    id: strawberry.ID = strawberry.field(description="The prompt.")
    version_id: strawberry.ID = strawberry.field(description="The version to go back to.")
    commit_message: str | None = strawberry.field(default=strawberry.UNSET, description="Why.")

    def to_reversal(self) -> prompt_drafts.PromptReversal:
        """Return the reversal as the engine knows it."""
        return prompt_drafts.PromptReversal(
            id=self.id, version_id=self.version_id, commit_message=given(self.commit_message)
        )


@strawberry.input(description="Delete a prompt.")
class DeletePromptInput:
    """Delete a prompt."""

    id: strawberry.ID = strawberry.field(description="The prompt.")


def _turns(inputs: Sequence[PromptTurnInput]) -> tuple[prompt_texts.Turn, ...]:
    return tuple(prompt_texts.Turn(turn.role, turn.content) for turn in inputs)


def _variables(
    inputs: Sequence[PromptVariableInput],
) -> tuple[prompt_texts.PromptVariable, ...]:
    return tuple(variable.to_variable() for variable in inputs)
