"""A finding about a definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, where, and how to mend it. `path` leads into the definition's document."""

    code: str
    message: str
    path: tuple[str, ...]
    step_name: str | None = None
    severity: Literal["ERROR", "WARNING"] = "ERROR"
