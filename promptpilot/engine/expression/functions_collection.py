"""Functions on lists and maps."""

from __future__ import annotations

from typing import Any, Final

from promptpilot.engine.expression.functions_number import check_sortable
from promptpilot.engine.expression.run import Run, check_item_count
from promptpilot.engine.expression.signature import Function, want_list, want_map
from promptpilot.engine.expression.values import identity

_ANY_COUNT: Final = 4096


def _sort(run: Run, items: Any) -> list[Any]:
    check_sortable(run, want_list(items))
    return sorted(items)


def _unique(run: Run, items: Any) -> list[Any]:
    first: dict[Any, Any] = {}
    for item in want_list(items):
        first.setdefault(identity(run, item), item)
    return list(first.values())


def _keys(run: Run, fields: Any) -> list[str]:
    run.charge(len(want_map(fields)))
    return list(fields)


def _values(run: Run, fields: Any) -> list[Any]:
    run.charge(len(want_map(fields)))
    return list(fields.values())


def _merge(run: Run, *maps: Any) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for fields in maps:
        run.charge(len(want_map(fields)))
        merged.update(fields)
    check_item_count(len(merged))
    return merged


COLLECTION_FUNCTIONS: Final = (
    Function("sort(list)", 1, 1, _sort),
    Function("unique(list)", 1, 1, _unique),
    Function("keys(map)", 1, 1, _keys),
    Function("values(map)", 1, 1, _values),
    Function("merge(map, map, ...)", 1, _ANY_COUNT, _merge),
)
