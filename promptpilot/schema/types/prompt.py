"""Prompts, their versions and what is different between two."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine import prompt_texts
from promptpilot.engine.prompt_diff import FieldChange
from promptpilot.engine.prompt_documents import number_of, text_of
from promptpilot.engine.prompt_rows import shown_name
from promptpilot.engine.prompt_texts import PromptVariableType, Role
from promptpilot.engine.version_numbers import ChangeType
from promptpilot.errors import InvariantBroken
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link, links
from promptpilot.schema.loaders import if_any
from promptpilot.schema.paging import Page, PageRequest
from promptpilot.schema.prompt_version_pages import version_page
from promptpilot.schema.scalars import JSON, JSONObject
from promptpilot.schema.types.relay import Node


@strawberry.type(description="A placeholder `{{name}}` in a prompt.")
class PromptVariable:
    """A placeholder `{{name}}` in a prompt."""

    name: str = strawberry.field(description="Name used between the braces.")
    type: PromptVariableType = strawberry.field(description="Type.")
    description: str | None = strawberry.field(description="What to put there.")
    is_required: bool = strawberry.field(description="Whether a value must be given.")
    options: list[str] = strawberry.field(
        description="Choices of a SELECT variable; empty otherwise."
    )

    @declare.field(description="Value when none is given.")
    @staticmethod
    def default_value(root: Parent[prompt_texts.PromptVariable]) -> JSON | None:
        return None if root.default is None else JSON(root.default)


@strawberry.type(description="An earlier message of a conversation, before the prompt's own text.")
class PromptTurn:
    """An earlier message of a conversation, before the prompt's own text."""

    role: Role = strawberry.field(description="Who says it.")
    content: str = strawberry.field(description="Text, with `{{variables}}`.")


@strawberry.type(description="A prompt template.")
class Prompt(Node):
    """A prompt template."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    description: str | None = strawberry.field(description="What it is for.")
    tags: list[str] = strawberry.field(description="Labels, sorted.")
    metadata: JSONObject = strawberry.field(description="Free data of the user.")
    revision: int = strawberry.field(
        description="Grows by one with every change; give it back as `expectedRevision`."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.Prompt)

    @declare.field(description="Name, unique per owner.")
    @staticmethod
    def name(root: Parent[rows.Prompt]) -> str:
        return shown_name(root)

    @declare.field(description="Text of the current version, with `{{variables}}`.")
    @staticmethod
    async def content(root: Parent[rows.Prompt], info: Info) -> str:
        return (await _current(root, info)).content

    @declare.field(description="System instructions of the current version.")
    @staticmethod
    async def instructions(root: Parent[rows.Prompt], info: Info) -> str | None:
        return (await _current(root, info)).instructions

    @declare.field(
        description="Earlier messages of the current version.", graphql_type=list[PromptTurn]
    )
    @staticmethod
    async def turns(root: Parent[rows.Prompt], info: Info) -> list[prompt_texts.Turn]:
        return list((await _current(root, info)).turns)

    @declare.field(
        description="Variables of the current version.", graphql_type=list[PromptVariable]
    )
    @staticmethod
    async def variables(root: Parent[rows.Prompt], info: Info) -> list[prompt_texts.PromptVariable]:
        return list((await _current(root, info)).variables)

    @declare.field(
        description="The version that workflows use unless they pin one.",
        graphql_type=link("PromptVersion"),
    )
    @staticmethod
    async def current_version(root: Parent[rows.Prompt], info: Info) -> rows.PromptVersion | None:
        return await if_any(info.context.loaders.prompt_version, root.current_version_id)

    @declare.connection("PromptVersionConnection", "All versions, newest first.")
    @staticmethod
    async def versions(
        root: Parent[rows.Prompt], info: Info, page: PageRequest
    ) -> Page[rows.PromptVersion]:
        return await version_page(root, page.read_by(info.context.together))

    @declare.field(description="Owner.", graphql_type=link("User"))
    @staticmethod
    async def owner(root: Parent[rows.Prompt], info: Info) -> rows.User | None:
        return await info.context.loaders.user.load(info.context.require().user_id)


@strawberry.type(description="An immutable state of a prompt.")
class PromptVersion(Node):
    """An immutable state of a prompt."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    commit_message: str | None = strawberry.field(description="Why it was made.")
    content: str = strawberry.field(description="Text.")
    instructions: str | None = strawberry.field(description="System instructions.")
    created_at: datetime = strawberry.field(description="When it was made.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.PromptVersion)

    @declare.field(description="The prompt.", graphql_type=link("Prompt"))
    @staticmethod
    async def prompt(root: Parent[rows.PromptVersion], info: Info) -> rows.Prompt | None:
        return await info.context.loaders.any_prompt.load(root.prompt_id)

    @declare.field(description="Semantic version, e.g. `1.4.0`.")
    @staticmethod
    def version(root: Parent[rows.PromptVersion]) -> str:
        return str(number_of(root))

    @declare.field(description="Size of the change.")
    @staticmethod
    def change_type(root: Parent[rows.PromptVersion]) -> ChangeType:
        return ChangeType(root.change_type)

    @declare.field(description="Earlier messages.", graphql_type=list[PromptTurn])
    @staticmethod
    def turns(root: Parent[rows.PromptVersion]) -> list[prompt_texts.Turn]:
        return list(text_of(root).turns)

    @declare.field(description="Variables.", graphql_type=list[PromptVariable])
    @staticmethod
    def variables(root: Parent[rows.PromptVersion]) -> list[prompt_texts.PromptVariable]:
        return list(text_of(root).variables)

    @declare.field(
        description="Version this one was made from; null for the first.",
        graphql_type=link("PromptVersion") | None,
    )
    @staticmethod
    async def parent(root: Parent[rows.PromptVersion], info: Info) -> rows.PromptVersion | None:
        return await if_any(info.context.loaders.prompt_version, root.parent_id)

    @declare.field(
        description="Author; null when the account is gone.", graphql_type=link("User") | None
    )
    @staticmethod
    async def created_by(root: Parent[rows.PromptVersion], info: Info) -> rows.User | None:
        return await if_any(info.context.loaders.user, root.created_by)


@strawberry.type(description="One difference between two prompt versions.")
class PromptVersionChange:
    """One difference between two prompt versions."""

    field: str = strawberry.field(
        description="Field that differs, e.g. `content` or `variables.notes.type`."
    )

    @declare.field(description="Value in the first version; null if it was added.")
    @staticmethod
    def old_value(root: Parent[FieldChange]) -> JSON | None:
        return None if root.old is None else JSON(root.old)

    @declare.field(description="Value in the second version; null if it was removed.")
    @staticmethod
    def new_value(root: Parent[FieldChange]) -> JSON | None:
        return None if root.new is None else JSON(root.new)


@strawberry.type(description="Result of comparing two versions of a prompt.")
class PromptVersionComparison:
    """Result of comparing two versions of a prompt."""

    base: rows.PromptVersion = strawberry.field(
        graphql_type=link("PromptVersion"), description="First version."
    )
    head: rows.PromptVersion = strawberry.field(
        graphql_type=link("PromptVersion"), description="Second version."
    )
    content_diff: str = strawberry.field(description="Unified diff of the text.")
    changes: tuple[FieldChange, ...] = strawberry.field(
        graphql_type=links("PromptVersionChange"), description="All differences."
    )


@strawberry.type(description="A prompt with its variables filled in.")
class RenderedPrompt:
    """A prompt with its variables filled in."""

    text: str = strawberry.field(description="The text that would be sent.")
    missing_variables: list[str] = strawberry.field(
        description="Variables without value or default."
    )
    unused_variables: list[str] = strawberry.field(
        description="Names given that the prompt does not use."
    )
    estimated_tokens: int = strawberry.field(description="Rough number of tokens.")


async def _current(prompt: rows.Prompt, info: Info) -> prompt_texts.PromptText:
    version = await if_any(info.context.loaders.prompt_version, prompt.current_version_id)
    if version is None:
        raise InvariantBroken(f"The current version of prompt {prompt.id} does not exist.")
    return text_of(version)
