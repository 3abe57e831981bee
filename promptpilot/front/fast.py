"""Executes plain fields without graphql-core's general machinery; the answers are the same.

Rules: a field is plain if it has no resolver, no arguments and a leaf type: it is an attribute of
its object. Whatever is unusual about a value (an error, null where there must be none, something
to await) is left to graphql-core, which does that field, or that list, again and reports it.
It stands on the inner workings of graphql-core 3.3; a test compares both executors.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    Undefined,
)
from graphql.execution import Executor
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from strawberry.types.field import StrawberryField

Reader: TypeAlias = Callable[[Any], Any]
Plan: TypeAlias = list[tuple[str, Any, Reader | None]]

_UNUSUAL: Final = object()
_EXACT: Final[dict[str, type]] = {"String": str, "ID": str, "Boolean": bool}
#: Values of these types are neither errors nor awaitable.
_SETTLED: Final = frozenset({str, int, float, bool, dict, list, datetime})
_INT_32: Final = 2**31


def fast_executor(stock: type[Executor[Any]]) -> type[Executor[Any]]:
    """Return an executor that answers as `stock` does, and sooner."""
    return type("FastExecutor", (_Fast, stock), {"readers": {}})


class _Fast(Executor[Any]):
    """What is done otherwise. `readers` belong to the class, and with it to one schema."""

    readers: dict[tuple[str, str], Reader | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plans: dict[int, tuple[Any, Plan, bool]] = {}

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: Any,
        position_context: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Read the plain fields of an object, and resolve the others."""
        plan, _ = self._plan(parent_type, grouped_field_set)
        results: dict[str, Any] = {}
        waiting: list[str] = []
        try:
            for name, details, read in plan:
                value = _UNUSUAL if read is None else read(source_value)
                if value is _UNUSUAL:
                    at = Path(path, name, parent_type.name)
                    value = self.execute_field(
                        parent_type, source_value, details, at, position_context
                    )
                    if self.is_awaitable(value):
                        waiting.append(name)
                if value is not Undefined:
                    results[name] = value
        except Exception:
            if waiting:
                self.settle_in_background([results[name] for name in waiting])
            raise
        return _all_of(results, waiting) if waiting else results

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> AwaitableOrValue[list[Any]]:
        """Read a list of objects whose fields are all plain."""
        kind = item_type.of_type if isinstance(item_type, GraphQLNonNull) else item_type
        if isinstance(kind, GraphQLObjectType) and type(items) in (list, tuple):
            answer = self._read_list(kind, field_details_list, info, items)
            if answer is not None:
                return answer
        return super().complete_iterable_value(
            item_type, field_details_list, info, path, items, position_context
        )

    def _read_list(
        self,
        kind: GraphQLObjectType,
        field_details_list: Any,
        info: GraphQLResolveInfo[Any],
        items: Iterable[Any],
    ) -> list[dict[str, Any]] | None:
        """Return the answers for `items`; None where graphql-core must see to the list."""
        grouped, _, _ = self.collect_subfields(kind, field_details_list)
        plan, is_plain = self._plan(kind, grouped)
        if not is_plain or not _are_all(kind, items, info):
            return None
        answers = []
        for item in items:
            answer = {name: read(item) for name, _, read in plan if read is not None}
            if _UNUSUAL in answer.values():
                return None
            answers.append(answer)
        return answers

    def _plan(self, parent_type: GraphQLObjectType, grouped: Any) -> tuple[Plan, bool]:
        known = self._plans.get(id(grouped))
        if known is None:
            plan = [
                (name, details, self._reader(parent_type, details[0].node.name.value))
                for name, details in grouped.items()
            ]
            is_plain = all(read is not None for _, _, read in plan)
            # The set is kept alive, so that its id is not given to another one.
            known = self._plans[id(grouped)] = (grouped, plan, is_plain)
        return known[1], known[2]

    def _reader(self, parent_type: GraphQLObjectType, name: str) -> Reader | None:
        if self.middleware_manager is not None or self.abort_signal is not None:
            return None
        key = (parent_type.name, name)
        if key not in self.readers:
            self.readers[key] = self._new_reader(parent_type, name)
        return self.readers[key]

    def _new_reader(self, parent_type: GraphQLObjectType, name: str) -> Reader | None:
        if name == "__typename":
            return lambda _: parent_type.name
        field = self.schema.get_field(parent_type, name)
        definition = field.extensions.get("strawberry-definition") if field else None
        if field is None or not isinstance(definition, StrawberryField):
            return None
        if field.args or not _is_attribute(field, definition):
            return None
        is_nullable = not isinstance(field.type, GraphQLNonNull)
        kind = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        if not isinstance(kind, GraphQLScalarType | GraphQLEnumType):
            return None
        return _attribute_reader(definition.python_name, kind, is_nullable=is_nullable)


async def _all_of(results: dict[str, Any], waiting: list[str]) -> dict[str, Any]:
    if len(waiting) == 1:
        results[waiting[0]] = await results[waiting[0]]
    else:
        values = await gather_with_cancel(*(results[name] for name in waiting))
        results.update(zip(waiting, values, strict=True))
    return results


def _are_all(kind: GraphQLObjectType, items: Iterable[Any], info: GraphQLResolveInfo[Any]) -> bool:
    if kind.is_type_of is None:
        return True
    return all(kind.is_type_of(item, info) is True for item in items)


def _is_attribute(field: GraphQLField, definition: StrawberryField) -> bool:
    is_basic = definition.is_basic_field and definition.default_resolver is getattr
    return is_basic and bool(getattr(field.resolve, "_is_default", False))


def _attribute_reader(attribute: str, kind: GraphQLLeafType, *, is_nullable: bool) -> Reader:
    exact = _EXACT.get(kind.name, Undefined)
    coerce = _coercer(kind)

    def read(source: Any) -> Any:
        try:
            value = getattr(source, attribute)
            if type(value) is exact:
                return value
            if value is None:
                return None if is_nullable else _UNUSUAL
            return coerce(value)
        except Exception:  # noqa: BLE001 -- graphql-core does it again and reports it
            return _UNUSUAL

    return read


def _coercer(kind: GraphQLLeafType) -> Reader:
    coerce_output = kind.coerce_output_value

    def coerce(value: Any) -> Any:
        if type(value) not in _SETTLED and _is_unsettled(value):
            return _left_alone(value)
        coerced = coerce_output(value)
        return _UNUSUAL if coerced is None or coerced is Undefined else coerced

    if kind is GraphQLInt:
        return _int_coercer(coerce)
    return _enum_coercer(coerce) if isinstance(kind, GraphQLEnumType) else coerce


def _int_coercer(coerce: Reader) -> Reader:
    def coerce_int(value: Any) -> Any:
        return value if type(value) is int and -_INT_32 <= value < _INT_32 else coerce(value)

    return coerce_int


def _enum_coercer(coerce: Reader) -> Reader:
    known: dict[tuple[type, Enum], Any] = {}

    def coerce_enum(value: Any) -> Any:
        if not isinstance(value, Enum):
            return coerce(value)
        key = (type(value), value)
        if key not in known:
            coerced = coerce(value)
            if coerced is _UNUSUAL:
                return coerced
            known[key] = coerced
        return known[key]

    return coerce_enum


def _is_unsettled(value: Any) -> bool:
    return value is Undefined or isinstance(value, Exception) or inspect.isawaitable(value)


def _left_alone(value: Any) -> Any:
    if inspect.iscoroutine(value):
        value.close()  # reading the attribute again makes another one
    return _UNUSUAL
