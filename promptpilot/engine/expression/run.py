"""One evaluation: its scope, its moment, its macro variables and what is left of its budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from promptpilot.engine.expression.failures import over_budget
from promptpilot.engine.expression.limits import (
    CHARACTERS_PER_STEP,
    MAX_ITEMS,
    MAX_STEPS,
    MAX_TEXT_BYTES,
)

_SURELY_SHORT = MAX_TEXT_BYTES // 4


class Run:
    """What the compiled code of one expression reads and spends during one evaluation."""

    __slots__ = ("cells", "left", "now", "scope")

    def __init__(
        self, scope: Mapping[str, Any], now: datetime | None, cells: int, cost: int
    ) -> None:
        self.scope = scope
        self.now = now
        self.cells: list[Any] = [None] * cells
        self.left = MAX_STEPS - cost

    def charge(self, steps: int) -> None:
        """Spend steps; raise EXPRESSION_BUDGET when none are left."""
        self.left -= steps
        if self.left < 0:
            raise over_budget(f"the expression needs more than {MAX_STEPS} steps")

    def charge_text(self, characters: int) -> None:
        """Spend the steps for work on so many characters."""
        self.charge(characters // CHARACTERS_PER_STEP)


#: Compiled code: a part of an expression, ready to be evaluated.
Code = Callable[[Run], Any]


def bounded_text(text: str) -> str:
    """Hand back a string that an expression made, or raise EXPRESSION_BUDGET if it is too long."""
    if len(text) > _SURELY_SHORT and byte_count(text) > MAX_TEXT_BYTES:
        raise over_budget(f"a string is longer than {MAX_TEXT_BYTES} bytes")
    return text


def check_item_count(count: int) -> None:
    """Raise EXPRESSION_BUDGET when a list or map would have too many items."""
    if count > MAX_ITEMS:
        raise over_budget(f"a list or map has more than {MAX_ITEMS} items")


def byte_count(text: str) -> int:
    """Count the bytes of a string in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
