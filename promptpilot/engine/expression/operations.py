"""Compiled code of operators, conditions and calls.

Rules: each piece of code knows how its source was written, to say in a failure what failed.
"""

from __future__ import annotations

from typing import Any, Final

from promptpilot.engine.expression.arithmetic import Apply, multiply
from promptpilot.engine.expression.failures import ExpressionFailed, Unfit
from promptpilot.engine.expression.run import Code, Run
from promptpilot.engine.expression.signature import Function
from promptpilot.engine.expression.values import described, is_number, kind_of

_LONGEST_QUOTE: Final = 80


def shortened(text: str) -> str:
    """Cut a quotation from the source to a length that a message can bear."""
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE - 1]}…"


def truth(value: Any, text: str) -> bool:
    """Take a boolean, or raise ExpressionFailed; nothing else is true or false."""
    if value is True or value is False:
        return bool(value)
    raise ExpressionFailed(f"{text} must be true or false, not {described(value)}")


def field_name(value: Any, text: str) -> str:
    """Take the key of a map literal, or raise ExpressionFailed."""
    if kind_of(value) != "string":
        raise ExpressionFailed(f"{text}: the keys of a map are strings, not {described(value)}")
    return str(value)


def negation(operand: Code, text: str) -> Code:
    """Turn a boolean round."""
    return lambda run: not truth(operand(run), text)


def minus(operand: Code, text: str) -> Code:
    """Change the sign of a number."""

    def negative(run: Run) -> int | float:
        value = operand(run)
        if not is_number(value):
            raise ExpressionFailed(f"{text} must be a number, not {described(value)}")
        try:
            return multiply(run, value, -1)
        except Unfit as unfit:
            raise ExpressionFailed(f"-{text}: {unfit}") from None

    return negative


def pair(first: Code, apply: Apply, second: Code, text: str) -> Code:
    """Apply one operator to two operands, the left one evaluated first."""

    def apply_once(run: Run) -> Any:
        try:
            return apply(run, first(run), second(run))
        except (Unfit, OverflowError) as unfit:
            raise ExpressionFailed(f"{text}: {unfit}") from None

    return apply_once


def series(first: Code, rest: list[tuple[Apply, Code]], text: str) -> Code:
    """Apply operators of one precedence from left to right."""

    def apply_all(run: Run) -> Any:
        value = first(run)
        try:
            for apply, operand in rest:
                value = apply(run, value, operand(run))
        except (Unfit, OverflowError) as unfit:
            raise ExpressionFailed(f"{text}: {unfit}") from None
        return value

    return apply_all


def logic(operands: list[tuple[Code, str]], *, decisive: bool) -> Code:
    """Evaluate booleans from left to right until one is `decisive`; that is the result."""

    def decide(run: Run) -> bool:
        for operand, text in operands:
            value: Any = operand(run)
            if value is decisive:
                return decisive is True
            if value is not True and value is not False:
                truth(value, text)
        return not decisive

    return decide


def called(function: Function, arguments: list[Code], text: str) -> Code:
    """Call a function on its arguments, evaluated from left to right."""
    apply = function.apply

    def call(run: Run) -> Any:
        try:
            return apply(run, *[argument(run) for argument in arguments])
        except (Unfit, OverflowError) as unfit:
            raise ExpressionFailed(f"{text}: {unfit}") from None

    return call
