"""Reads executions, their steps and firings with the large columns that are asked for, no others.

Rules: what is selected in any way counts as asked for, also below a directive or a fragment that
applies to another type: a column may be read in vain, and is never missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)

from promptpilot.engine.progress import StepView
from promptpilot.models import Execution, Firing
from promptpilot.models.partial import LeftOut
from promptpilot.schema.context import Info
from promptpilot.schema.loaders import LARGE
from promptpilot.schema.paging import PageRequest

Fragments: TypeAlias = Mapping[str, FragmentDefinitionNode]


@dataclass(frozen=True, slots=True)
class LargeColumns:
    """The large columns of a table, and the fields that need one."""

    all: LeftOut
    needed_by: Mapping[str, str]

    def left_out(self, selected: Collection[str]) -> LeftOut:
        """Return the columns that none of the selected fields needs."""
        return self.all - {column for name, column in self.needed_by.items() if name in selected}


EXECUTION: Final = LargeColumns(LARGE, {"input": "input", "output": "output", "error": "error"})
STEP: Final = LargeColumns(
    frozenset({"input", "output", "error", "model_calls"}),
    {
        "input": "input",
        "pendingDecision": "input",
        "output": "output",
        "error": "error",
        "attempts": "error",
        "modelCalls": "model_calls",
    },
)
FIRING: Final = LargeColumns(
    frozenset({"payload", "error"}), {"payload": "payload", "error": "error"}
)


def for_nodes(page: PageRequest, large: LargeColumns, info: Info) -> PageRequest:
    """Return the request for a page, without the large columns that its items do not show."""
    raw = info._raw_info  # noqa: SLF001 -- what Strawberry offers converts everything below
    shown = [*_below(raw.field_nodes, raw.fragments)]
    edges = [each for each in shown if each.name.value == "edges"]
    items = [each for each in shown if each.name.value == "nodes"]
    items += [each for each in _below(edges, raw.fragments) if each.name.value == "node"]
    return page.without(large.left_out(_names(items, raw.fragments)))


async def shown_execution(info: Info, id: str | None) -> Execution | None:
    """Return an execution with what the selection needs; None for None."""
    left_out = EXECUTION.left_out(selected(info))
    return await info.context.loaders.executions.without(left_out).load(id) if id else None


async def shown_firing(info: Info, id: str | None) -> Firing | None:
    """Return a firing with what the selection needs; None for None."""
    left_out = FIRING.left_out(selected(info))
    return await info.context.loaders.firings.without(left_out).load(id) if id else None


async def shown_step(info: Info, id: str | None) -> StepView | None:
    """Return the step execution with this id, with what the selection needs; None for None."""
    left_out = STEP.left_out(selected(info))
    return await info.context.loaders.step_view(id, left_out) if id else None


async def shown_steps(info: Info, execution: Execution) -> list[StepView]:
    """Return the steps of an execution with what the selection needs."""
    left_out = STEP.left_out(selected(info))
    return await info.context.loaders.step_views.without(left_out).load(execution)


def selected(info: Info) -> frozenset[str]:
    """Return the names of the fields directly below this one, whatever their aliases."""
    raw = info._raw_info  # noqa: SLF001 -- as above
    return _names(raw.field_nodes, raw.fragments)


def _names(fields: Sequence[FieldNode], fragments: Fragments) -> frozenset[str]:
    return frozenset(each.name.value for each in _below(fields, fragments))


def _below(fields: Sequence[FieldNode], fragments: Fragments) -> Iterator[FieldNode]:
    """Yield the fields directly below; each fragment is looked into once."""
    open_ = [each.selection_set for each in fields]
    seen: set[str] = set()
    while open_:
        for each in _selections(open_.pop()):
            if isinstance(each, FieldNode):
                yield each
            elif isinstance(each, InlineFragmentNode):
                open_.append(each.selection_set)
            elif isinstance(each, FragmentSpreadNode) and each.name.value not in seen:
                seen.add(each.name.value)
                open_.append(fragments[each.name.value].selection_set)


def _selections(below: SelectionSetNode | None) -> Sequence[object]:
    return below.selections if below else ()
