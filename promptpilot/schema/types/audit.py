"""The audit log: who changed secrets, triggers and access."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from strawberry import Parent

from promptpilot import models as rows
from promptpilot.engine.audit import AuditAction
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.links import link, links
from promptpilot.schema.loaders import if_any
from promptpilot.schema.paging import Page
from promptpilot.schema.scalars import JSONObject
from promptpilot.schema.types.relay import DateTimeRange, Node, PageInfo


@strawberry.type(description="A change of a secret, a trigger or somebody's access.")
class AuditEntry(Node):
    """A change of a secret, a trigger or somebody's access."""

    id: strawberry.ID = strawberry.field(description="Globally unique id.")
    object_id: strawberry.ID = strawberry.field(description="Id of what was changed.")
    token_id: strawberry.ID | None = strawberry.field(
        description="The access token that the actor used; null for a session."
    )
    created_at: datetime = strawberry.field(description="When it was done.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Say whether this type shows `obj`."""
        return isinstance(obj, rows.AuditEntry)

    @declare.field(description="What was done.")
    @staticmethod
    def action(root: Parent[rows.AuditEntry]) -> AuditAction:
        return AuditAction(root.action)

    @declare.field(
        description="Who did it; null when the account is gone.", graphql_type=link("User") | None
    )
    @staticmethod
    async def actor(root: Parent[rows.AuditEntry], info: Info) -> rows.User | None:
        return await if_any(info.context.loaders.user, root.actor_id)

    @declare.field(description="More, depending on the action; never a secret.")
    @staticmethod
    def details(root: Parent[rows.AuditEntry]) -> JSONObject:
        return JSONObject(root.details)


@strawberry.input(description="Filter for the audit log; all given conditions must hold.")
class AuditFilter:
    """Filter for the audit log."""

    actions: list[AuditAction] | None = strawberry.field(
        default=strawberry.UNSET, description="Any of these."
    )
    object_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Of these objects."
    )
    created_at: DateTimeRange | None = strawberry.field(
        default=strawberry.UNSET, description="In this range."
    )


@strawberry.type(description="An entry of the audit log in a page.")
class AuditEntryEdge:
    """An entry of the audit log in a page."""

    cursor: str = strawberry.field(description="Position.")
    node: Any = strawberry.field(graphql_type=link("AuditEntry"), description="Item.")


@strawberry.type(description="A page of the audit log.")
class AuditEntryConnection:
    """A page of the audit log."""

    edges: list[AuditEntryEdge] = strawberry.field(description="Items with cursors.")
    nodes: list[Any] = strawberry.field(
        graphql_type=links("AuditEntry"), description="Items without cursors."
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
