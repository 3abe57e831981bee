"""Pages of lists."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry import Parent

from promptpilot.schema import declare
from promptpilot.schema.links import link, links
from promptpilot.schema.paging import Page
from promptpilot.schema.types.relay import PageInfo


@strawberry.type(description="A workflow in a page.")
class WorkflowEdge:
    """A workflow in a page."""

    cursor: str = strawberry.field(description="Position.")
    node: Any = strawberry.field(graphql_type=link("Workflow"), description="Item.")


@strawberry.type(description="A page of workflows.")
class WorkflowConnection:
    """A page of workflows."""

    edges: list[WorkflowEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("Workflow"), description="Items without cursors."
    )
    page_info: PageInfo = strawberry.field(description="Where the page sits.")

    @declare.field(description="Number of items in the whole list; counted only when asked for.")
    @staticmethod
    async def total_count(root: Parent[Page[Any]]) -> int:
        return await root.count()


@strawberry.type(description="An execution in a page.")
class WorkflowExecutionEdge:
    """An execution in a page."""

    cursor: str = strawberry.field(description="Position.")
    node: Any = strawberry.field(graphql_type=link("WorkflowExecution"), description="Item.")


@strawberry.type(description="A page of executions.")
class WorkflowExecutionConnection:
    """A page of executions."""

    edges: list[WorkflowExecutionEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("WorkflowExecution"), description="Items without cursors."
    )
    page_info: PageInfo = strawberry.field(description="Where the page sits.")

    @declare.field(
        description=(
            'Number of items in the whole list, 10 001 meaning "more than 10 000"; counted'
            " only when asked for."
        )
    )
    @staticmethod
    async def total_count(root: Parent[Page[Any]]) -> int:
        return await root.count()


@strawberry.type(description="A dead letter in a page.")
class DeadLetterEdge:
    """A dead letter in a page."""

    cursor: str = strawberry.field(description="Position.")
    node: Any = strawberry.field(graphql_type=link("DeadLetter"), description="Item.")


@strawberry.type(description="A page of dead letters.")
class DeadLetterConnection:
    """A page of dead letters."""

    edges: list[DeadLetterEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("DeadLetter"), description="Items without cursors."
    )
    page_info: PageInfo = strawberry.field(description="Where the page sits.")

    @declare.field(
        description=(
            'Number of items in the whole list, 10 001 meaning "more than 10 000"; counted'
            " only when asked for."
        )
    )
    @staticmethod
    async def total_count(root: Parent[Page[Any]]) -> int:
        return await root.count()


@strawberry.type(description="A firing in a page.")
class TriggerFiringEdge:
    """A firing in a page."""

    cursor: str = strawberry.field(description="Position.")
    node: Any = strawberry.field(graphql_type=link("TriggerFiring"), description="Item.")


@strawberry.type(description="A page of firings.")
class TriggerFiringConnection:
    """A page of firings."""

    edges: list[TriggerFiringEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("TriggerFiring"), description="Items without cursors."
    )
    page_info: PageInfo = strawberry.field(description="Where the page sits.")


@strawberry.type(description="An event in a page.")
class ExecutionEventEdge:
    """An event in a page."""

    cursor: str = strawberry.field(description="Position: the event's own cursor.")
    node: Any = strawberry.field(graphql_type=link("ExecutionEvent"), description="Item.")


@strawberry.type(description="A page of execution events.")
class ExecutionEventConnection:
    """A page of execution events."""

    edges: list[ExecutionEventEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("ExecutionEvent"), description="Items without cursors."
    )
    page_info: PageInfo = strawberry.field(description="Where the page sits.")
