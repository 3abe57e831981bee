"""Compiled code of the macros: loops over a list or the keys of a map, `has` and `default`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from promptpilot.engine.expression.failures import ExpressionFailed, ValueMissing
from promptpilot.engine.expression.run import Code, Run
from promptpilot.engine.expression.values import described, kind_of

#: Evaluates a body for one item.
Body = Callable[[Run, Any], Any]
Items = Callable[[Run], Iterable[Any]]


def items_of(target: Code, text: str) -> Items:
    """Read what a macro goes over: the items of a list or the keys of a map."""

    def items(run: Run) -> Iterable[Any]:
        value = target(run)
        if kind_of(value) not in {"list", "map"}:
            raise ExpressionFailed(f"{text}: a list or a map is needed, not {described(value)}")
        whole: Iterable[Any] = value
        return whole

    return items


def body_of(code: Code, cell: int, weight: int) -> Body:
    """Evaluate a body with the macro's variable set; each turn costs the weight of the body."""

    def body(run: Run, item: Any) -> Any:
        run.charge(weight)
        run.cells[cell] = item
        return code(run)

    return body


def test_of(body: Body, text: str) -> Body:
    """Evaluate a body that must be a boolean."""

    def test(run: Run, item: Any) -> bool:
        value = body(run, item)
        if value is True or value is False:
            return bool(value)
        raise ExpressionFailed(f"{text} must be true or false, not {described(value)}")

    return test


def every(items: Items, test: Body) -> Code:
    """Tell whether the test holds for all items; stops at the first that fails it."""
    return lambda run: all(test(run, item) for item in items(run))


def some(items: Items, test: Body) -> Code:
    """Tell whether the test holds for an item; stops at the first."""
    return lambda run: any(test(run, item) for item in items(run))


def exactly_one(items: Items, test: Body) -> Code:
    """Tell whether the test holds for one item and no other; tests them all."""
    return lambda run: sum(test(run, item) for item in items(run)) == 1


def selected(items: Items, test: Body) -> Code:
    """List the items for which the test holds."""
    return lambda run: [item for item in items(run) if test(run, item)]


def mapped(items: Items, body: Body) -> Code:
    """List the body's value for every item."""
    return lambda run: [body(run, item) for item in items(run)]


def selected_and_mapped(items: Items, test: Body, body: Body) -> Code:
    """List the body's value for the items for which the test holds."""
    return lambda run: [body(run, item) for item in items(run) if test(run, item)]


def presence(target: Code) -> Code:
    """Tell whether a chain leads to a value; null is a value."""

    def has(run: Run) -> bool:
        try:
            target(run)
        except ValueMissing:
            return False
        return True

    return has


def fallback(value: Code, otherwise: Code) -> Code:
    """Take the value, or the other one when it is missing or null."""

    def first_present(run: Run) -> Any:
        try:
            found = value(run)
        except ValueMissing:
            found = None
        return otherwise(run) if found is None else found

    return first_present


#: The macros whose bodies are all tests, by name.
TESTING_MACROS: Final[dict[str, Callable[[Items, Body], Code]]] = {
    "all": every,
    "exists": some,
    "exists_one": exactly_one,
    "filter": selected,
}
