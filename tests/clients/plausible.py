"""Plausible values for the variables of an operation: the right types, and ids of nothing."""

from __future__ import annotations

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_non_null_type,
    is_required_input_field,
    type_from_ast,
)

from promptpilot.ids import Kind, new_id

_SCALARS = {
    "Boolean": True,
    "CronExpression": "0 * * * *",
    "DateTime": "2026-01-01T00:00:00Z",
    "Decimal": "1",
    "Expression": "true",
    "Float": 1.5,
    "Int": 1,
    "JSON": None,
    "JSONObject": {},
    "SafeInt": 1,
    "String": "x",
    "TimeZone": "UTC",
    "URL": "https://example.org/",
}


def variables_of(schema: GraphQLSchema, operation: OperationDefinitionNode) -> dict[str, Any]:
    """Return a value for each variable that needs one."""
    wanted = {
        each.variable.name.value: type_from_ast(schema, each.type)
        for each in operation.variable_definitions or ()
    }
    return {name: value_of(needed) for name, needed in wanted.items() if is_non_null_type(needed)}


def value_of(wanted: GraphQLInputType) -> Any:
    """Return a value of a type, with the members alone that must be there."""
    match wanted:
        case GraphQLNonNull():
            return value_of(wanted.of_type)
        case GraphQLList():
            return [value_of(wanted.of_type)]
        case GraphQLEnumType():
            return next(iter(wanted.values))
        case GraphQLInputObjectType():
            return _object_of(wanted)
        case GraphQLScalarType():
            return new_id(Kind.WORKFLOW) if wanted.name == "ID" else _SCALARS[wanted.name]


def _object_of(wanted: GraphQLInputObjectType) -> dict[str, Any]:
    if wanted.is_one_of:
        name, field = next(iter(wanted.fields.items()))
        return {name: value_of(field.type)}
    return {
        name: value_of(field.type)
        for name, field in wanted.fields.items()
        if is_required_input_field(field)
    }
