"""Tells what is wrong with an answer, by the exported schema and graphql-core alone."""

from __future__ import annotations

from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLResolveInfo,
    GraphQLSchema,
    NameNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    execute_sync,
    is_abstract_type,
    print_ast,
    validate,
    visit,
)

#: What a client may do wrong in an operation that fits the schema.
MISTAKES = {"BAD_USER_INPUT", "CURSOR_EXPIRED", "INVALID_INPUT", "LIMIT_EXCEEDED", "NOT_FOUND"}
_FAULT = 500
_OTHER_END = {"last", "before", "after"}


def complaint(schema: GraphQLSchema, document: DocumentNode, status: int, answer: Any) -> str:
    """Return what is wrong with an answer to a document, "" when nothing is."""
    if status >= _FAULT:
        return f"status {status}: {answer}"
    errors = answer.get("errors", [])
    codes = {each.get("extensions", {}).get("code") for each in errors}
    if codes == {"GRAPHQL_VALIDATION_FAILED"}:
        return "" if validate(schema, document) else f"refused although valid: {errors}"
    if not codes <= MISTAKES:
        return f"codes {codes}: {errors}"
    return "" if answer.get("data") is None else _misfit(schema, document, answer["data"])


def askable(schema: GraphQLSchema, document: DocumentNode) -> DocumentNode:
    """Return a document of which answers can be judged, and that gets some.

    It also asks for the type of each object that may have several, and has no pages from both
    ends, which would all be refused.
    """
    types = TypeInfo(schema)
    told: DocumentNode = visit(document, TypeInfoVisitor(types, _Asking(types)))
    return told


class _Asking(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types = types

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        given = {each.name.value: each for each in node.arguments or ()}
        if not {"first", "last"} <= set(given):
            return None
        kept = tuple(each for name, each in given.items() if name not in _OTHER_END)
        return FieldNode(
            alias=node.alias, name=node.name, arguments=kept, selection_set=node.selection_set
        )

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode | None:
        if not is_abstract_type(self._types.get_parent_type()):
            return None
        name = FieldNode(name=NameNode(value="__typename"), arguments=(), directives=())
        return SelectionSetNode(selections=(*node.selections, name))


def _misfit(schema: GraphQLSchema, document: DocumentNode, data: Any) -> str:
    """Execute the document on its own answer: what comes out must be what went in."""

    def of_answer(source: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
        return source[info.path.key]

    def told_type(value: Any, *_: Any) -> str:
        return str(value["__typename"])

    again = execute_sync(schema, document, data, field_resolver=of_answer, type_resolver=told_type)
    if again.data == data:
        return ""
    return f"{data} does not fit the schema: {again.errors} {print_ast(document)}"
