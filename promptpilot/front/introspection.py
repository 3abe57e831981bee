"""Tells what asking for the schema itself costs, before anything is executed.

Introspection is free in the cost of an operation, so that tools can always ask; here it is held
against what tools ask for. Without that, aliases would repeat the whole schema in one answer.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_introspection_query,
    parse,
)

from promptpilot.front.cost import Price, Sizes, Walk

_ROOTS: Final = {"__schema": "__Schema", "__type": "__Type"}


class Introspection:
    """How much of one schema is asked for, as a multiple of the whole that tools ask for."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._sizes = Sizes(unknown=1, known=_sizes(schema))
        self._whole = max(1, self._values(parse(_everything()))[0])

    def shares(self, document: DocumentNode) -> list[float]:
        """Return for each operation how many whole schemas it asks for; 0 for most."""
        return [values / self._whole for values in self._values(document)]

    def _values(self, document: DocumentNode) -> list[int]:
        walk = _Walk(self._schema, document, {}, self._sizes)
        return [
            walk.operation(each)
            for each in document.definitions
            if isinstance(each, OperationDefinitionNode)
        ]


class _Walk(Walk):
    """Counts the objects and leaves of the introspection in an operation, and nothing else."""

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Price:
        name = node.name.value
        if name in _ROOTS:
            inner = self._set(node.selection_set, self._schema.get_type(_ROOTS[name]))
            return Price(1 + inner.fixed)
        if parent is None or not parent.name.startswith("__"):
            return Price()
        if (
            name == "ofType"
        ):  # null at the end of the wrappings of a type, mostly the first or second
            return Price((1 + self._set(node.selection_set, parent).fixed) // 2)
        return super()._field(node, parent) if node.selection_set else Price(1)


def _everything() -> str:
    return get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )


def _sizes(schema: GraphQLSchema) -> dict[str, int]:
    """Return how long the lists of introspection are, those of types on the average."""
    types = list(schema.type_map.values())
    fielded = [t for t in types if isinstance(t, GraphQLObjectType | GraphQLInterfaceType)]
    inputs = [t for t in types if isinstance(t, GraphQLInputObjectType)]
    fields = [field for each in fielded for field in each.fields.values()]
    return {
        "__Schema.types": len(types),
        "__Schema.directives": len(schema.directives),
        "__Type.fields": _average([each.fields for each in fielded], types),
        "__Type.inputFields": _average([each.fields for each in inputs], types),
        "__Type.enumValues": _average(
            [each.values for each in types if isinstance(each, GraphQLEnumType)], types
        ),
        "__Field.args": _average([each.args for each in fields], fields),
    }


def _average(lists: list[Sized], owners: Sized) -> int:
    return max(1, round(sum(len(each) for each in lists) / max(1, len(owners))))
