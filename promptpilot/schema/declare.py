"""Declares the fields of the API that a function resolves, typed where Strawberry is not.

A resolver is a static function over the row; `graphql_type` says which type shows what it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import strawberry

from promptpilot.schema.connection import Paged
from promptpilot.schema.links import link

Declaration: TypeAlias = Callable[[Any], Any]


def field(*, description: str, graphql_type: Any = None) -> Declaration:
    """Declare a field."""
    declared: Declaration = strawberry.field(description=description, graphql_type=graphql_type)
    return declared


def connection(name: str, description: str) -> Declaration:
    """Declare a field that answers with a page; its resolver takes `page` and returns a Page."""
    declared: Declaration = strawberry.field(
        description=description, graphql_type=link(name), extensions=[Paged()]
    )
    return declared


def mutation(*, description: str) -> Declaration:
    """Declare a mutation."""
    declared: Declaration = strawberry.mutation(description=description)
    return declared


def subscription(*, description: str, graphql_type: Any) -> Declaration:
    """Declare a subscription."""
    declared: Declaration = strawberry.subscription(
        description=description, graphql_type=graphql_type
    )
    return declared
