"""How an expression fails: when it is read, and when it is evaluated.

Rules: a message names the sub-expression as it was written and the way out, never a value from the
data, because messages are stored and logged.
"""

from __future__ import annotations

from typing import Final

from promptpilot.errors import InvalidInput, StepFailed

EXPRESSION_SYNTAX: Final = "EXPRESSION_SYNTAX"
EXPRESSION_ERROR: Final = "EXPRESSION_ERROR"
EXPRESSION_BUDGET: Final = "EXPRESSION_BUDGET"
EXPRESSION_TYPE: Final = "EXPRESSION_TYPE"


class ExpressionSyntaxError(InvalidInput):
    """A source is not an expression, or is over a limit.

    `position` counts characters from 0. `error_code` is EXPRESSION_SYNTAX, or EXPRESSION_BUDGET
    when the source is too long or too deeply nested.
    """

    def __init__(self, message: str, position: int, error_code: str = EXPRESSION_SYNTAX) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.reason = message
        self.position = position
        self.error_code = error_code


class ExpressionFailed(StepFailed):
    """An expression has no value for this data. A retry cannot help: the same data fails again."""

    def __init__(self, message: str, error_code: str = EXPRESSION_ERROR) -> None:
        super().__init__(message, error_code)


class ValueMissing(ExpressionFailed):
    """A name, field or item is not there; `default()` and `has()` turn this into a value."""


class Unfit(Exception):
    """An operation cannot take its operands; its caller adds the sub-expression and re-raises.

    Never leaves this package.
    """


def over_budget(message: str) -> ExpressionFailed:
    """Make the failure for passing a limit; the message says which."""
    return ExpressionFailed(message, EXPRESSION_BUDGET)
