"""A parsed expression: what it reads, and how it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from promptpilot.engine.expression.compiler import Compiler
from promptpilot.engine.expression.failures import EXPRESSION_TYPE, ExpressionFailed
from promptpilot.engine.expression.parser import parse_tree
from promptpilot.engine.expression.references import Reference, find_references
from promptpilot.engine.expression.run import Run
from promptpilot.engine.expression.values import described, settled

_CACHED_PROGRAMS: Final = 2048


class Program:
    """An expression, ready to be evaluated any number of times; it never changes."""

    __slots__ = ("_cells", "_code", "_cost", "references", "source")

    source: str
    references: frozenset[Reference]

    def __init__(self, source: str) -> None:
        tree = parse_tree(source)
        compiler = Compiler(source)
        self.source = source
        self.references = find_references(tree)
        self._code = compiler.compile(tree)
        self._cells = compiler.cell_count
        self._cost = tree.span.weight

    def evaluate(self, scope: Mapping[str, Any], now: datetime | None = None) -> Any:
        """Evaluate over a scope of JSON values; the result is JSON and shares parts with the scope.

        `now` is what `now` means, aware; without it `now` fails. Raises ExpressionFailed.
        """
        return settled(self._code(Run(scope, now, self._cells, self._cost)))


def parse(source: str) -> Program:
    """Parse a source, or take the program parsed before; raise ExpressionSyntaxError."""
    return _parse(source)


def evaluate_boolean(
    program: Program, scope: Mapping[str, Any], now: datetime | None = None
) -> bool:
    """Evaluate a condition; raise ExpressionFailed (EXPRESSION_TYPE) unless it is a boolean."""
    value = program.evaluate(scope, now)
    if not isinstance(value, bool):
        raise ExpressionFailed(
            f"the condition must be true or false, not {described(value)}; compare it, "
            "as in == or > or size(...) > 0",
            EXPRESSION_TYPE,
        )
    return value


@lru_cache(maxsize=_CACHED_PROGRAMS)
def _parse(source: str) -> Program:
    return Program(source)
