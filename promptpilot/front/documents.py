"""Prepares each document once: parsed, measured, validated, its operations ready to be chosen.

Invariants: the cache holds accepted documents only, at most so many, and at most so many tokens in
all; a document keeps about 300 bytes for each.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    recommended_rules,
    specified_rules,
    validate,
)
from graphql.validation import ASTValidationRule
from strawberry import Schema
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule

from promptpilot.front.cost import PriceList, Sizes
from promptpilot.front.errors import Refused, Stage, coded, refusal
from promptpilot.front.introspection import Introspection
from promptpilot.front.limits import Limits, measure, tokens

_BYTES_PER_TOKEN = 300
_PLACE = re.compile(r"(Argument|Field) '(\w+)'")


class _PlainMaybeNull(MaybeNullValidationRule):
    """Strawberry's rule in words of GraphQL; its own message names classes of Python."""

    def report_error(self, error: GraphQLError) -> None:
        place = _PLACE.search(error.message)
        subject = f"{place[1]} '{place[2]}'" if place else "This value"
        message = f"{subject} must not be null; leave it out instead."
        super().report_error(GraphQLError(message, error.nodes))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that may be executed. An operation without a name has the key ""."""

    document: DocumentNode
    operations: Mapping[str, OperationDefinitionNode]
    prices: Mapping[str, PriceList]

    def cost(self, operation: OperationDefinitionNode, variables: Mapping[str, Any] | None) -> int:
        """Return what one of the operations costs with these variables."""
        return self.prices[operation.name.value if operation.name else ""].cost(variables)

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation to execute; raise Refused where the request does not say which."""
        if name:
            return self._named(name)
        if len(self.operations) == 1:
            return next(iter(self.operations.values()))
        raise refusal(
            "The document holds several operations; operationName must say which one to execute.",
            "OPERATION_RESOLUTION_FAILURE",
        )

    def _named(self, name: str) -> OperationDefinitionNode:
        if name not in self.operations:
            raise refusal(
                f"The document holds no operation named '{name}'.", "OPERATION_RESOLUTION_FAILURE"
            )
        return self.operations[name]


class Documents:
    """The prepared documents of one schema, shared by all transports."""

    def __init__(self, schema: Schema, limits: Limits, sizes: Sizes | None = None) -> None:
        self._sizes = sizes or Sizes()
        self.schema = core_schema(schema)
        _mark_one_of(self.schema)
        self._introspection = Introspection(self.schema)
        self._limits = limits
        self._rules = tuple(_rules(limits))
        self._prepared: OrderedDict[str, tuple[Prepared, int]] = OrderedDict()
        self._tokens = 0

    def __len__(self) -> int:
        return len(self._prepared)

    def get(self, text: str) -> Prepared:
        """Return the prepared document; raise Refused with every reason why it is not accepted."""
        known = self._prepared.get(text)
        if known is not None:
            self._prepared.move_to_end(text)
            return known[0]
        document = self._parse(text)
        self._check(document)
        prepared = self._price(document)
        self._remember(text, prepared)
        return prepared

    def _price(self, document: DocumentNode) -> Prepared:
        operations = _operations(document)
        prices = {
            name: PriceList(self.schema, document, node, self._sizes)
            for name, node in operations.items()
        }
        return Prepared(document, operations, prices)

    def _parse(self, text: str) -> DocumentNode:
        try:
            return parse(
                text,
                max_lexical_tokens=self._limits.max_tokens,
                max_comments=self._limits.max_comments,
                max_source_length=self._limits.max_body,
            )
        except GraphQLSyntaxError as error:
            raise Refused([coded(error, "GRAPHQL_PARSE_FAILED")], Stage.PARSE) from None

    def _check(self, document: DocumentNode) -> None:
        over = list(measure(document, self._limits))
        if over:
            raise Refused([GraphQLError(m, extensions={"code": "LIMIT_EXCEEDED"}) for m in over])
        errors = validate(
            self.schema,
            document,
            self._rules,
            max_errors=self._limits.max_errors - 1,  # graphql-core adds one that says so
            hide_suggestions=self._limits.hides_suggestions,
        )
        if errors:
            raise Refused([coded(error, "GRAPHQL_VALIDATION_FAILED") for error in errors])
        self._check_introspection(document)

    def _check_introspection(self, document: DocumentNode) -> None:
        share = max(self._introspection.shares(document))
        if share > self._limits.max_schemas:
            raise refusal(
                f"The document asks for {share:.1f} times the whole schema by introspection; at "
                f"most {self._limits.max_schemas:g} times are allowed. Ask once, without aliases.",
                "LIMIT_EXCEEDED",
            )

    def _remember(self, text: str, prepared: Prepared) -> None:
        weight = sum(1 for _ in tokens(prepared.document)) + len(text) // _BYTES_PER_TOKEN
        self._prepared[text] = (prepared, weight)
        self._tokens += weight
        while self._is_overfull():
            _, (_, freed) = self._prepared.popitem(last=False)
            self._tokens -= freed

    def _is_overfull(self) -> bool:
        is_over = self._tokens > self._limits.cached_tokens
        return is_over or len(self._prepared) > self._limits.cached_documents


def core_schema(schema: Schema) -> GraphQLSchema:
    """Return graphql-core's schema below Strawberry's."""
    return schema._schema  # noqa: SLF001 -- Strawberry offers no public way to it


def _mark_one_of(schema: GraphQLSchema) -> None:
    """Let graphql-core check @oneOf: Strawberry's own check cannot say where the mistake is."""
    for each in schema.type_map.values():
        if isinstance(each, GraphQLInputObjectType):
            definition = each.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
            each.is_one_of = each.is_one_of or bool(definition and definition.is_one_of)


def is_subscription(operation: OperationDefinitionNode) -> bool:
    """Whether the operation answers more than once."""
    return operation.operation is OperationType.SUBSCRIPTION


def is_mutation(operation: OperationDefinitionNode) -> bool:
    """Whether the operation writes."""
    return operation.operation is OperationType.MUTATION


def _rules(limits: Limits) -> Iterator[type[ASTValidationRule]]:
    yield from specified_rules
    yield from (rule for rule in recommended_rules if rule not in specified_rules)
    yield _PlainMaybeNull
    if not limits.is_introspection_allowed:
        yield NoSchemaIntrospectionCustomRule


def _operations(document: DocumentNode) -> dict[str, OperationDefinitionNode]:
    return {
        definition.name.value if definition.name else "": definition
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    }
