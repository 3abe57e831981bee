"""Functions on numbers and lists of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from promptpilot.engine.expression.arithmetic import add, finite, within_range
from promptpilot.engine.expression.failures import Unfit
from promptpilot.engine.expression.limits import MAX_INTEGER, MIN_INTEGER
from promptpilot.engine.expression.run import Run
from promptpilot.engine.expression.signature import Function, want_list, want_number
from promptpilot.engine.expression.values import as_integer, described, is_number, kind_of

_ANY_FLOAT: Final = Context(prec=400, rounding=ROUND_HALF_UP)
_MOST_DIGITS: Final = 15
_ANY_COUNT: Final = 4096


def _round(run: Run, value: Any, digits: Any = 0) -> int | float:
    number, places = want_number(value), as_integer(digits)
    if places is None or not 0 <= places <= _MOST_DIGITS:
        raise Unfit(f"digits must be a whole number from 0 to {_MOST_DIGITS}")
    if isinstance(number, int):
        return within_range(number)
    step = Decimal(1).scaleb(-places)
    rounded = Decimal(repr(finite(number))).quantize(step, context=_ANY_FLOAT)
    return float(rounded) if places else _whole(rounded)


def _whole(rounded: Decimal) -> int | float:
    fits = MIN_INTEGER <= rounded <= MAX_INTEGER
    return int(rounded) if fits else float(rounded)


def _sum(run: Run, items: Any) -> int | float:
    total: int | float = 0
    for item in want_list(items):
        run.charge(1)
        total = add(run, total, want_number(item))
    return total


def _min(run: Run, *values: Any) -> Any:
    return _extreme(run, values, min)


def _max(run: Run, *values: Any) -> Any:
    return _extreme(run, values, max)


def _extreme(run: Run, values: Sequence[Any], choose: Callable[[Sequence[Any]], Any]) -> Any:
    items = want_list(values[0]) if len(values) == 1 else values
    if not items:
        raise Unfit("the list is empty; test its size() first")
    check_sortable(run, items)
    return choose(items)


def check_sortable(run: Run, items: Sequence[Any]) -> None:
    """Pay for comparing the items; raise Unfit unless all are numbers or all are strings."""
    kinds = {kind_of(item) for item in items}
    if not kinds <= {"number"} and not kinds <= {"string"}:
        odd = next(item for item in items if not is_number(item))
        raise Unfit(f"the items must be all numbers or all strings; one is {described(odd)}")
    run.charge(2 * len(items))
    if kinds == {"string"}:
        run.charge_text(sum(map(len, items)))


NUMBER_FUNCTIONS: Final = (
    Function("round(number, digits)", 1, 2, _round),
    Function("min(list) or min(a, b, ...)", 1, _ANY_COUNT, _min),
    Function("max(list) or max(a, b, ...)", 1, _ANY_COUNT, _max),
    Function("sum(list)", 1, 1, _sum),
)
