"""What a client left out of an input, and what it said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import strawberry

from promptpilot.engine.drafts import UNSET, Unset
from promptpilot.errors import InvalidInput

Path = tuple[str, ...]
T = TypeVar("T")
S = TypeVar("S")


def given(value: T | None) -> T | None:
    """Return what was given; None when it was left out."""
    return None if value is strawberry.UNSET else value


def changed(value: T | None) -> T | Unset | None:
    """Return what was given; the engine's UNSET when it is to stay as it is."""
    return UNSET if value is strawberry.UNSET else value


def changed_to(value: T | None, translate: Callable[[T], S]) -> S | Unset | None:
    """Return the translation of what was given; UNSET and None stay what they are."""
    if value is strawberry.UNSET:
        return UNSET
    return None if value is None else translate(value)


def texts(values: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Return values that are texts, such as expressions; raise InvalidInput for another one."""
    for name, value in values.items():
        if not isinstance(value, str):
            message = f"{name} must be an expression written as a text, not {value!r:.40}."
            raise InvalidInput(message, (*path, name))
    return dict(values)
