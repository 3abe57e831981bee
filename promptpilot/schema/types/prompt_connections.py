"""Pages of prompts and of their versions."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry import Parent

from promptpilot.schema import declare
from promptpilot.schema.links import link, links
from promptpilot.schema.paging import Page
from promptpilot.schema.types.relay import PageInfo


@strawberry.type(description="A prompt in a page.")
class PromptEdge:
    """A prompt in a page."""

    cursor: str = strawberry.field(description="Position.")
    node: Any = strawberry.field(graphql_type=link("Prompt"), description="Item.")


@strawberry.type(description="A page of prompts.")
class PromptConnection:
    """A page of prompts."""

    edges: list[PromptEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("Prompt"), description="Items without cursors."
    )
    page_info: PageInfo = strawberry.field(description="Where the page sits.")

    @declare.field(description="Number of items in the whole list; counted only when asked for.")
    @staticmethod
    async def total_count(root: Parent[Page[Any]]) -> int:
        return await root.count()


@strawberry.type(description="A prompt version in a page.")
class PromptVersionEdge:
    """A prompt version in a page."""

    cursor: str = strawberry.field(description="Position.")
    node: Any = strawberry.field(graphql_type=link("PromptVersion"), description="Item.")


@strawberry.type(description="A page of prompt versions.")
class PromptVersionConnection:
    """A page of prompt versions."""

    edges: list[PromptVersionEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("PromptVersion"), description="Items without cursors."
    )
    page_info: PageInfo = strawberry.field(description="Where the page sits.")

    @declare.field(description="Number of items in the whole list; counted only when asked for.")
    @staticmethod
    async def total_count(root: Parent[Page[Any]]) -> int:
        return await root.count()
