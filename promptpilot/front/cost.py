"""What an operation may cost, told from its text and variables before anything is executed.

Rules: an object costs one, a list its size times what one item costs, a page what its `first` or
`last` asks for; leaves, introspection and the wrapping of edges cost nothing. Of what is asked of
objects by their type, the dearest counts, for an object has one type. @skip and @include
are not heeded: the cost is an upper bound. Every fragment is walked once, however often it is
spread: its cost is a straight line over the size of the page that it stands in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

_KEPT = 8  # prices of one operation, for different sizes of its pages


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the lists of a schema are taken to be where the client does not say.

    `known` holds the largest size of single fields, as `Type.field`.
    """

    page: int = 20
    max_page: int = 100
    unknown: int = 10
    known: Mapping[str, int] | None = None

    def of(self, type_name: str, field_name: str) -> int:
        """Return the size of a list without pages."""
        return (self.known or {}).get(f"{type_name}.{field_name}", self.unknown)


@dataclass(frozen=True, slots=True)
class Price:
    """The cost of a selection: `fixed`, and `each` for every item of the page it stands in."""

    fixed: int = 0
    each: int = 0

    def beside(self, other: Price) -> Price:
        """Return the cost of two selections in one set."""
        return Price(self.fixed + other.fixed, self.each + other.each)


_FREE = Price()


class PriceList:
    """The costs of one operation; known sizes of its pages are not worked out again."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        sizes: Sizes,
    ) -> None:
        self._schema = schema
        self._document = document
        self._operation = operation
        self._sizes = sizes
        self._asked: tuple[str, ...] | None = None
        self._known: dict[tuple[object, ...], int] = {}

    def cost(self, variables: Mapping[str, Any] | None) -> int:
        """Return the cost with these variables, as the client sent them."""
        values = self._values(variables or {})
        key = tuple(values.get(name) for name in self._asked or ())
        if self._asked is not None and key in self._known:
            return self._known[key]
        walk = Walk(self._schema, self._document, values, self._sizes)
        cost = walk.operation(self._operation)
        self._asked = tuple(sorted(walk.asked))
        if len(self._known) < _KEPT:
            self._known[tuple(values.get(name) for name in self._asked)] = cost
        return cost

    def _values(self, given: Mapping[str, Any]) -> Mapping[str, int | None]:
        """Return the variables as resolvers get them; a null takes the place of a default."""
        defaults = {
            definition.variable.name.value: int(definition.default_value.value)
            for definition in self._operation.variable_definitions or ()
            if isinstance(definition.default_value, IntValueNode)
        }
        return {**defaults, **{name: _whole_number(value) for name, value in given.items()}}


class Walk:
    """One walk over an operation and its fragments."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        variables: Mapping[str, int | None],
        sizes: Sizes,
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._sizes = sizes
        self._fragments = {
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        self._priced: dict[str, Price] = {}
        self.asked: set[str] = set()

    def operation(self, node: OperationDefinitionNode) -> int:
        """Return what an operation costs that is valid."""
        root = self._schema.get_root_type(node.operation)
        return self._set(node.selection_set, root).fixed

    def _set(self, node: SelectionSetNode | None, parent: GraphQLNamedType | None) -> Price:
        price, ways = _FREE, dict[str, Price]()
        for selection in node.selections if node else ():
            found = self._selection(selection, parent)
            if (way := self._way(selection)) is None:
                price = price.beside(found)
            else:
                ways[way] = ways.get(way, _FREE).beside(found)
        return price.beside(_dearest(ways.values()))

    def _way(self, node: SelectionNode) -> str | None:
        """Return the one type whose objects a selection is for, None if it is for every object."""
        condition = self._condition(node)
        name = condition.name.value if condition else ""
        return name if isinstance(self._schema.get_type(name), GraphQLObjectType) else None

    def _condition(self, node: SelectionNode) -> NamedTypeNode | None:
        if isinstance(node, FragmentSpreadNode):
            return self._fragments[node.name.value].type_condition
        return node.type_condition if isinstance(node, InlineFragmentNode) else None

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType | None) -> Price:
        if isinstance(node, FieldNode):
            return self._field(node, parent)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        assert isinstance(node, InlineFragmentNode)  # noqa: S101 -- the grammar has no fourth selection
        condition = node.type_condition
        narrowed = self._schema.get_type(condition.name.value) if condition else parent
        return self._set(node.selection_set, narrowed)

    def _fragment(self, name: str) -> Price:
        if name not in self._priced:
            fragment = self._fragments[name]
            narrowed = self._schema.get_type(fragment.type_condition.name.value)
            self._priced[name] = self._set(fragment.selection_set, narrowed)
        return self._priced[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Price:
        name = node.name.value
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) or name.startswith(
            "__"
        ):
            return _FREE
        field = parent.fields[name]
        named = get_named_type(field.type)
        if is_leaf_type(named):
            return _FREE
        inner = self._set(node.selection_set, named)
        if _is_list(field):
            return self._list(node, field, parent.name, Price(1 + self._whole(inner)))
        if parent.name.endswith("Edge") and name == "node":
            return inner
        return Price(1 + inner.fixed + inner.each * self._page(node, field))

    def _list(self, node: FieldNode, field: GraphQLField, parent_name: str, item: Price) -> Price:
        name = node.name.value
        if parent_name.endswith("Connection") and name in ("nodes", "edges"):
            return Price(0, item.fixed)
        size = self._sizes.of(parent_name, name)
        return Price(item.fixed * (self._page(node, field) if "first" in field.args else size))

    def _whole(self, price: Price) -> int:
        return price.fixed + price.each * self._sizes.page

    def _page(self, node: FieldNode, field: GraphQLField) -> int:
        asked = [
            self._number(each.value) for each in node.arguments or () if _is_size(each.name.value)
        ]
        given = [number for number in asked if number is not None]
        if "first" not in field.args or not given:
            return self._sizes.page
        return min(max(0, *given), self._sizes.max_page)  # more is for the resolver to refuse

    def _number(self, value: ValueNode) -> int | None:
        if isinstance(value, IntValueNode):
            return int(value.value)
        if isinstance(value, VariableNode):
            self.asked.add(value.name.value)
            return self._variables.get(value.name.value)
        return None


def _dearest(prices: Collection[Price]) -> Price:
    """Return what an object costs at most that is of one of several types."""
    fixed = max((price.fixed for price in prices), default=0)
    return Price(fixed, max((price.each for price in prices), default=0))


def _whole_number(value: object) -> int | None:
    """Return what an Int reads from JSON, where 5.0 is 5; None for anything else."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _is_size(name: str) -> bool:
    return name in ("first", "last")


def _is_list(field: GraphQLField) -> bool:
    kind = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    return isinstance(kind, GraphQLList)
