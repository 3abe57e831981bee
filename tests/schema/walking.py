"""Builds operations for every field of the schema, so that no test has to keep a list of them.

A field for which nothing can be built fails the test that walks, and is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_required_argument,
    is_required_input_field,
)

from promptpilot.ids import Kind
from promptpilot.schema import schema as api_schema

SCHEMA: GraphQLSchema = api_schema._schema

#: Where an id stands among the arguments: names, the argument's first.
Place = tuple[str, ...]

_SCALARS: dict[str, Any] = {
    "String": "twelve_signs",
    "Int": 3,
    "SafeInt": 3,
    "Float": 0.5,
    "Boolean": True,
    "Decimal": "0.5",
    "DateTime": "2030-01-01T00:00:00Z",
    "JSON": {"some": "value"},
    "JSONObject": {"some": "1"},
    "Expression": "1 + 1",
    "CronExpression": "* * * * *",
    "TimeZone": "UTC",
    "URL": "https://example.org/there",
}
#: Long enough for every id in the schema; inputs that contain themselves would go on.
_DEEPEST = 8


class Unbuildable(AssertionError):
    """The walk does not know how to ask for this part of the schema."""


@dataclass(frozen=True)
class Root:
    """A field of Query, Mutation or Subscription."""

    operation: str
    name: str
    field: GraphQLField

    def __str__(self) -> str:
        return f"{self.operation} {self.name}"


def roots() -> list[Root]:
    """Return every root field."""
    types = (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type)
    kinds = ("query", "mutation", "subscription")
    return [
        Root(kind, name, field)
        for kind, type_ in zip(kinds, types, strict=True)
        if type_ is not None
        for name, field in type_.fields.items()
    ]


def id_places(field: GraphQLField) -> list[Place]:
    """Return where the arguments of a field take ids, however deep in input objects."""
    return [
        (name, *rest) for name, argument in field.args.items() for rest in _ids_in(argument.type)
    ]


def _ids_in(type_: Any, depth: int = 0) -> Iterator[Place]:
    named = get_named_type(type_)
    if named.name == "ID":
        yield ()
    elif isinstance(named, GraphQLInputObjectType) and depth < _DEEPEST:
        for name, member in named.fields.items():
            for rest in _ids_in(member.type, depth + 1):
                yield (name, *rest)


@dataclass(frozen=True)
class Filling:
    """What is put where ids are taken: `asked` at one place, elsewhere what the caller owns.

    `own` maps the kinds of ids to the caller's; where the name of an argument does not tell the
    kind it is `other`. A rich filling gives every id beside the place, a plain one what is needed.
    """

    place: Place
    asked: str
    own: Mapping[Kind, str]
    other: str
    is_rich: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether there is no other id than the one that is asked for."""
        return self.other == self.asked

    def arguments(self, field: GraphQLField) -> dict[str, Any]:
        """Return the arguments of a field that are needed, and the one with the place."""
        return {
            name: self._value(name, argument.type, _rest(self.place, name))
            for name, argument in field.args.items()
            if is_required_argument(argument) or name == self.place[0]
        }

    def _value(self, name: str, type_: Any, place: Place | None) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._value(name, type_.of_type, place)
        if isinstance(type_, GraphQLList):
            return [self._value(name, type_.of_type, place)]
        if isinstance(type_, GraphQLEnumType):
            return "SIMULATOR" if "SIMULATOR" in type_.values else next(iter(type_.values))
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(type_, place)
        if type_.name == "ID":
            return self._others(name) if place is None else self.asked
        if type_.name not in _SCALARS:
            raise Unbuildable(f"No value is known for the scalar {type_.name}.")
        return _SCALARS[type_.name]

    def _others(self, name: str) -> str:
        kinds = [kind for kind in self.own if f"{_camel(kind.name)}id" == name.lower()]
        return self.own[kinds[0]] if kinds else self.other

    def _object(self, type_: GraphQLInputObjectType, place: Place | None) -> dict[str, Any]:
        wanted = {name for name, each in type_.fields.items() if is_required_input_field(each)}
        if place:
            wanted |= {place[0]}
        if is_one_of(type_):
            wanted = {place[0]} if place else {next(iter(type_.fields))}
        elif self.is_rich and place:
            wanted |= {name for name, each in type_.fields.items() if any(_is_near(each.type))}
        return {
            name: self._value(name, type_.fields[name].type, _rest(place, name))
            for name in type_.fields
            if name in wanted
        }


def is_one_of(type_: GraphQLInputObjectType) -> bool:
    """Say whether exactly one member may be given."""
    return bool(type_.extensions["strawberry-definition"].is_one_of)


def _rest(place: Place | None, name: str) -> Place | None:
    return place[1:] if place and place[0] == name else None


def _is_near(type_: Any) -> Iterator[bool]:
    """Say of each id in a type whether it stands in it, or in an object right below."""
    return (len(place) <= 1 for place in _ids_in(type_))


def _camel(name: str) -> str:
    return name.replace("_", "").lower()


def document(root: Root, given: dict[str, Any], depth: int) -> str:
    """Return an operation that asks one root field for everything down to a depth."""
    declared = ", ".join(f"${name}: {root.field.args[name].type}" for name in given)
    passed = ", ".join(f"{name}: ${name}" for name in given)
    head = f"({declared})" if given else ""
    tail = f"({passed})" if given else ""
    return f"{root.operation} {head} {{ {root.name}{tail} {selection(root.field.type, depth)} }}"


def selection(type_: Any, depth: int) -> str:
    """Return a selection of every field of a type, and of what it leads to, down to a depth."""
    named = get_named_type(type_)
    if isinstance(named, GraphQLObjectType):
        return "{ __typename " + " ".join(_fields(named, depth)) + " }"
    if isinstance(named, GraphQLInterfaceType | GraphQLUnionType):
        parts = [_fragment(each, depth) for each in SCHEMA.get_possible_types(named)]
        return "{ __typename " + " ".join(parts) + " }"
    return ""


def _fragment(type_: GraphQLObjectType, depth: int) -> str:
    # The same name may have another type in another member, so each has names of its own.
    named = [f"{type_.name}_{_name(each)}: {each}" for each in _fields(type_, depth)]
    return f"... on {type_.name} {{ {' '.join(named)} }}"


def _name(field: str) -> str:
    return field.partition(" ")[0].partition("(")[0]


def _fields(type_: GraphQLObjectType, depth: int) -> list[str]:
    fields = []
    for name, field in type_.fields.items():
        if is_leaf(field) or depth > 0:
            inner = "" if is_leaf(field) else selection(field.type, depth - 1)
            fields.append(f"{name}{_needed(type_, name, field)} {inner}")
    return fields


def is_leaf(field: GraphQLField) -> bool:
    """Say whether a field is a value without a selection of its own."""
    named = get_named_type(field.type)
    return not isinstance(named, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)


def _needed(type_: GraphQLNamedType, name: str, field: GraphQLField) -> str:
    needed = [each for each, argument in field.args.items() if is_required_argument(argument)]
    if needed:
        raise Unbuildable(f"{type_.name}.{name} needs {', '.join(needed)}.")
    return "(first: 5)" if "first" in field.args else ""
