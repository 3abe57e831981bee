"""Turns a tree into code: one closure for each node, so that evaluating needs no dispatch.

Invariants: a macro variable has a fixed cell, its nesting depth among macros; code keeps no state,
so one program may be evaluated many times at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from promptpilot.engine.expression import access, macros
from promptpilot.engine.expression.arithmetic import OPERATORS
from promptpilot.engine.expression.functions import FUNCTIONS
from promptpilot.engine.expression.operations import (
    called,
    field_name,
    logic,
    minus,
    negation,
    pair,
    series,
    shortened,
    truth,
)
from promptpilot.engine.expression.run import Code, Run
from promptpilot.engine.expression.syntax import (
    Access,
    Binary,
    Call,
    Choice,
    Comprehension,
    Fallback,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Part,
    Presence,
    Unary,
)

#: Cells of the macro variables in sight, by name.
Cells = Mapping[str, int]

_NO_CELLS: Final[Cells] = {}


class Compiler:
    """Compiles the tree of one source; `cell_count` says afterwards how many cells it needs."""

    __slots__ = ("_source", "cell_count")

    def __init__(self, source: str) -> None:
        self._source = source
        self.cell_count = 0

    def compile(self, node: Node, cells: Cells = _NO_CELLS, depth: int = 0) -> Code:
        """Make the code of a node; `depth` counts the macros around it."""
        return self._MAKERS[type(node)](self, node, cells, depth)

    def _literal(self, node: Literal, cells: Cells, depth: int) -> Code:
        value = node.value
        return lambda run: value

    def _name(self, node: Name, cells: Cells, depth: int) -> Code:
        if node.name in cells:
            return access.read_cell(cells[node.name])
        if node.name == "now":
            return access.read_now
        return access.read_root(node.name)

    def _access(self, node: Access, cells: Cells, depth: int) -> Code:
        base = self.compile(node.base, cells, depth)
        parts = tuple(self._part(node, part, cells, depth) for part in node.parts)
        chain = access.read_chain(base, parts, self._quote(node))
        names = [part.constant_name() for part in node.parts]
        plain = tuple(name for name in names if name is not None)
        is_path = isinstance(node.base, Name) and len(plain) == len(names)
        return access.read_path(base, plain, chain) if is_path else chain

    def _part(self, node: Access, part: Part, cells: Cells, depth: int) -> access.CompiledPart:
        owner = shortened(self._source[node.span.start : part.start].rstrip())
        complaint = access.absence(owner, self._quote(part.key))
        return self.compile(part.key, cells, depth), part.is_optional, complaint

    def _list(self, node: ListLiteral, cells: Cells, depth: int) -> Code:
        items = [self.compile(item, cells, depth) for item in node.items]
        return lambda run: [item(run) for item in items]

    def _map(self, node: MapLiteral, cells: Cells, depth: int) -> Code:
        entries = [
            (self.compile(key, cells, depth), self._quote(key), self.compile(value, cells, depth))
            for key, value in node.entries
        ]

        def build(run: Run) -> dict[str, Any]:
            return {field_name(key(run), text): value(run) for key, text, value in entries}

        return build

    def _unary(self, node: Unary, cells: Cells, depth: int) -> Code:
        operand = self.compile(node.operand, cells, depth)
        text = self._quote(node.operand)
        return negation(operand, text) if node.operator == "!" else minus(operand, text)

    def _binary(self, node: Binary, cells: Cells, depth: int) -> Code:
        first = self.compile(node.first, cells, depth)
        rest = [(OPERATORS[sign], self.compile(item, cells, depth)) for sign, item in node.rest]
        text = self._quote(node)
        return pair(first, *rest[0], text) if len(rest) == 1 else series(first, rest, text)

    def _logic(self, node: Logic, cells: Cells, depth: int) -> Code:
        operands = [
            (self.compile(operand, cells, depth), self._quote(operand)) for operand in node.operands
        ]
        return logic(operands, decisive=node.operator == "||")

    def _choice(self, node: Choice, cells: Cells, depth: int) -> Code:
        condition = self.compile(node.condition, cells, depth)
        yes = self.compile(node.yes, cells, depth)
        no = self.compile(node.no, cells, depth)
        text = self._quote(node.condition)
        return lambda run: yes(run) if truth(condition(run), text) else no(run)

    def _call(self, node: Call, cells: Cells, depth: int) -> Code:
        arguments = [self.compile(argument, cells, depth) for argument in node.arguments]
        return called(FUNCTIONS[node.function], arguments, self._quote(node))

    def _presence(self, node: Presence, cells: Cells, depth: int) -> Code:
        target: Node = node.target
        if isinstance(target, Access):
            required = tuple(replace(part, is_optional=False) for part in target.parts)
            target = replace(target, parts=required)
        return macros.presence(self.compile(target, cells, depth))

    def _fallback(self, node: Fallback, cells: Cells, depth: int) -> Code:
        value = self.compile(node.value, cells, depth)
        return macros.fallback(value, self.compile(node.otherwise, cells, depth))

    def _comprehension(self, node: Comprehension, cells: Cells, depth: int) -> Code:
        self.cell_count = max(self.cell_count, depth + 1)
        items = macros.items_of(self.compile(node.target, cells, depth), self._quote(node))
        inner = {**cells, node.variable: depth}
        first, *more = (self._body(body, inner, depth) for body in node.bodies)
        test = macros.test_of(first, self._quote(node.bodies[0]))
        if node.macro != "map":
            return macros.TESTING_MACROS[node.macro](items, test)
        if more:
            return macros.selected_and_mapped(items, test, *more)
        return macros.mapped(items, first)

    def _body(self, node: Node, cells: Cells, depth: int) -> macros.Body:
        return macros.body_of(self.compile(node, cells, depth + 1), depth, node.span.weight)

    def _quote(self, node: Node) -> str:
        return shortened(self._source[node.span.start : node.span.end])

    _MAKERS: ClassVar[dict[type, Callable[[Compiler, Any, Cells, int], Code]]] = {
        Literal: _literal,
        Name: _name,
        Access: _access,
        ListLiteral: _list,
        MapLiteral: _map,
        Unary: _unary,
        Binary: _binary,
        Logic: _logic,
        Choice: _choice,
        Call: _call,
        Presence: _presence,
        Fallback: _fallback,
        Comprehension: _comprehension,
    }
