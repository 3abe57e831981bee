"""What a function is to the parser and the evaluator, and how it checks its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from promptpilot.engine.expression.failures import Unfit
from promptpilot.engine.expression.values import described, is_number, kind_of


@dataclass(frozen=True, slots=True)
class Function:
    """A function: how it is written, how many arguments it takes, and what it does.

    `apply` takes the run and the arguments; it raises Unfit when an argument is of a wrong kind.
    """

    usage: str
    least: int
    most: int
    apply: Callable[..., Any]

    @property
    def name(self) -> str:
        """The name it is called with."""
        return self.usage.partition("(")[0]


def want_text(value: Any) -> str:
    """Take a string, or raise Unfit."""
    if kind_of(value) != "string":
        raise Unfit(f"a string is needed, not {described(value)}")
    return str(value)


def want_list(value: Any) -> list[Any]:
    """Take a list, or raise Unfit."""
    if kind_of(value) != "list":
        raise Unfit(f"a list is needed, not {described(value)}")
    return list(value) if type(value) is not list else value


def want_map(value: Any) -> dict[str, Any]:
    """Take a map, or raise Unfit."""
    if kind_of(value) != "map":
        raise Unfit(f"a map is needed, not {described(value)}")
    return dict(value) if type(value) is not dict else value


def want_number(value: Any) -> int | float:
    """Take a number, or raise Unfit."""
    if not is_number(value):
        raise Unfit(f"a number is needed, not {described(value)}")
    number: int | float = value
    return number
