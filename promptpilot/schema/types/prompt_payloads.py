"""What mutations of prompts answer with."""

from __future__ import annotations

import strawberry

from promptpilot import models as rows
from promptpilot.schema.links import link
from promptpilot.schema.types.user_error import UserError


@strawberry.type(description="Result of createPrompt.")
class CreatePromptPayload:
    """Result of createPrompt."""

    prompt: rows.Prompt | None = strawberry.field(
        default=None, graphql_type=link("Prompt") | None, description="The new prompt."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of updatePrompt.")
class UpdatePromptPayload:
    """Result of updatePrompt."""

    prompt: rows.Prompt | None = strawberry.field(
        default=None, graphql_type=link("Prompt") | None, description="The prompt."
    )
    version: rows.PromptVersion | None = strawberry.field(
        default=None,
        graphql_type=link("PromptVersion") | None,
        description="The version that was made; null if content and variables stayed the same.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of revertPrompt.")
class RevertPromptPayload:
    """Result of revertPrompt."""

    prompt: rows.Prompt | None = strawberry.field(
        default=None, graphql_type=link("Prompt") | None, description="The prompt."
    )
    version: rows.PromptVersion | None = strawberry.field(
        default=None,
        graphql_type=link("PromptVersion") | None,
        description="The version that was made.",
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )


@strawberry.type(description="Result of deletePrompt.")
class DeletePromptPayload:
    """Result of deletePrompt."""

    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="Id of the deleted prompt, for client caches."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success."
    )
