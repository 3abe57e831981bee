"""Operators on two values: arithmetic, comparison, membership.

Rules: each takes the run and both operands and raises Unfit when it has no answer for them, or
OverflowError when Python itself finds the numbers too large.
Integers stay integers while they can; a result outside 64 bits or not finite is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from promptpilot.engine.expression.failures import Unfit
from promptpilot.engine.expression.limits import CHARACTERS_PER_STEP, MAX_INTEGER, MIN_INTEGER
from promptpilot.engine.expression.run import Run, bounded_text, check_item_count
from promptpilot.engine.expression.values import (
    are_equal,
    as_integer,
    described,
    is_among,
    is_number,
    kind_of,
)

#: What an operator does.
Apply = Callable[[Run, Any, Any], Any]

_ORDERED_KINDS: Final = frozenset({"number", "string", "bool"})


def within_range(value: int) -> int:
    """Hand back an integer of 64 bits, or raise Unfit."""
    if MIN_INTEGER <= value <= MAX_INTEGER:
        return value
    raise Unfit("the integer does not fit in 64 bits")


def finite(value: float) -> float:
    """Hand back a number, or raise Unfit if it is infinite or not a number."""
    if not math.isfinite(value):
        raise Unfit("the result is too large for a number")
    return value


def add(run: Run, left: Any, right: Any) -> Any:
    """Add numbers, or join two strings or two lists."""
    if is_number(left) and is_number(right):
        return _result(left + right)
    kind = kind_of(left)
    if kind == kind_of(right) == "string":
        run.charge_text(len(left) + len(right))
        return bounded_text(left + right)
    if kind == kind_of(right) == "list":
        check_item_count(len(left) + len(right))
        run.charge(len(left) + len(right))
        return [*left, *right]
    raise _mismatch("+", left, right, "; convert with string() or number()")


def subtract(run: Run, left: Any, right: Any) -> int | float:
    """Subtract numbers."""
    _want_numbers("-", left, right)
    return _result(left - right)


def multiply(run: Run, left: Any, right: Any) -> int | float:
    """Multiply numbers."""
    _want_numbers("*", left, right)
    return _result(left * right)


def divide(run: Run, left: Any, right: Any) -> int | float:
    """Divide numbers; two integers give an integer when it comes out even."""
    _want_numbers("/", left, right)
    if right == 0:
        raise Unfit("division by zero")
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return _result(left // right)
    return _result(left / right)


def remainder(run: Run, left: Any, right: Any) -> int:
    """Take the remainder of two whole numbers; it has the sign of the left one."""
    dividend, divisor = as_integer(left), as_integer(right)
    if dividend is None or divisor is None:
        raise _mismatch("%", left, right, "; it takes whole numbers")
    if divisor == 0:
        raise Unfit("division by zero")
    size = abs(dividend) % abs(divisor)
    return within_range(-size if dividend < 0 else size)


def _result(value: float) -> int | float:
    return within_range(value) if isinstance(value, int) else finite(value)


def _want_numbers(sign: str, left: Any, right: Any) -> None:
    if not (is_number(left) and is_number(right)):
        raise _mismatch(sign, left, right, "; convert with number()")


def _mismatch(sign: str, left: Any, right: Any, advice: str = "") -> Unfit:
    return Unfit(f"{sign} does not work on {described(left)} and {described(right)}{advice}")


def _equal(run: Run, left: Any, right: Any) -> bool:
    return are_equal(run, left, right)


def _not_equal(run: Run, left: Any, right: Any) -> bool:
    return not are_equal(run, left, right)


def _less(run: Run, left: Any, right: Any) -> bool:
    _want_order("<", run, left, right)
    return bool(left < right)


def _less_or_equal(run: Run, left: Any, right: Any) -> bool:
    _want_order("<=", run, left, right)
    return bool(left <= right)


def _greater(run: Run, left: Any, right: Any) -> bool:
    _want_order(">", run, left, right)
    return bool(left > right)


def _greater_or_equal(run: Run, left: Any, right: Any) -> bool:
    _want_order(">=", run, left, right)
    return bool(left >= right)


def _want_order(sign: str, run: Run, left: Any, right: Any) -> None:
    if type(left) is int and type(right) is int:
        return
    kind = kind_of(left)
    if kind not in _ORDERED_KINDS or kind != kind_of(right):
        raise _mismatch(sign, left, right)
    if kind == "string" and len(left) > CHARACTERS_PER_STEP:
        run.charge_text(len(left))


def _is_in(run: Run, wanted: Any, whole: Any) -> bool:
    kind = kind_of(whole)
    if kind == "list":
        return is_among(run, wanted, whole)
    if kind == "map":
        if kind_of(wanted) != "string":
            raise Unfit(f"in asks a map for a string, not {described(wanted)}")
        return wanted in whole
    advice = "; use contains()" if kind == "string" else ""
    raise Unfit(f"in looks into a list or a map, not {described(whole)}{advice}")


#: Every operator between two values, by its sign.
OPERATORS: Final[dict[str, Apply]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "==": _equal,
    "!=": _not_equal,
    "<": _less,
    "<=": _less_or_equal,
    ">": _greater,
    ">=": _greater_or_equal,
    "in": _is_in,
}
