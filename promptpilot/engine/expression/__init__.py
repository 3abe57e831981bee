"""The expression language: pure, deterministic, bounded; described in `docs/EXPRESSIONS.md`."""

from promptpilot.engine.expression.failures import (
    EXPRESSION_BUDGET,
    EXPRESSION_ERROR,
    EXPRESSION_SYNTAX,
    EXPRESSION_TYPE,
    ExpressionFailed,
    ExpressionSyntaxError,
    ValueMissing,
)
from promptpilot.engine.expression.program import Program, evaluate_boolean, parse
from promptpilot.engine.expression.references import Reference

__all__ = [
    "EXPRESSION_BUDGET",
    "EXPRESSION_ERROR",
    "EXPRESSION_SYNTAX",
    "EXPRESSION_TYPE",
    "ExpressionFailed",
    "ExpressionSyntaxError",
    "Program",
    "Reference",
    "ValueMissing",
    "evaluate_boolean",
    "parse",
]
