"""What the settings of an EVENT trigger may be, and how they are stored."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from typing import Any, Final

from promptpilot.engine.drafts import EventConfig
from promptpilot.engine.expression import ExpressionSyntaxError, parse
from promptpilot.engine.gathering import gather
from promptpilot.engine.triggers.mapping import EVENT_ROOTS, check_mapping, foreign_roots
from promptpilot.errors import InvalidInput, Required

Path = tuple[str, ...]

MAX_EVENT_TYPE: Final = 200
_PATH: Final = ("input", "config", "event")
_WORDS: Final = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
_TYPE: Final = re.compile(_WORDS)
_PATTERN: Final = re.compile(rf"{_WORDS}(?:\.\*)?")


def check_event(config: EventConfig, inputs: Collection[str]) -> None:
    """Raise InvalidInput or InvalidMany for settings that an EVENT trigger cannot have."""
    gather(
        partial(check_event_pattern, config.event_type, (*_PATH, "eventType")),
        partial(_check_filter, config.filter, (*_PATH, "filter")),
        partial(check_mapping, config.input_mapping, inputs, (*_PATH, "inputMapping"), EVENT_ROOTS),
    )


def stored_event(config: EventConfig) -> dict[str, Any]:
    """Return the JSON document of the settings."""
    return {
        "event_type": config.event_type,
        "filter": config.filter,
        "input_mapping": dict(config.input_mapping),
    }


def check_event_type(text: str, path: Path) -> None:
    """Raise InvalidInput unless `text` is the type of one event, such as `order.created`."""
    _check(_TYPE, text, path, "words of letters, digits, _ and - with dots between them")


def check_event_pattern(text: str, path: Path) -> None:
    """Raise InvalidInput unless `text` is a type of events, or the beginning of some and `.*`."""
    _check(
        _PATTERN,
        text,
        path,
        "words of letters, digits, _ and - with dots between them, and a .* at the end if any "
        "suffix is meant",
    )


def matches_event_type(pattern: str, event_type: str) -> bool:
    """Whether a trigger that listens for `pattern` is told of events of this type."""
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return event_type == pattern


def _check(form: re.Pattern[str], text: str, path: Path, wanted: str) -> None:
    if not text:
        raise Required(f"{path[-1]} must not be empty.", path)
    if len(text) > MAX_EVENT_TYPE:
        message = f"{path[-1]} may have at most {MAX_EVENT_TYPE} characters."
        raise InvalidInput(message, path)
    if not form.fullmatch(text):
        raise InvalidInput(f"{path[-1]} is {text!r}; it must be {wanted}.", path)


def _check_filter(source: str | None, path: Path) -> None:
    if source is None:
        return
    try:
        program = parse(source)
    except ExpressionSyntaxError as fault:
        raise InvalidInput(f"The filter cannot be read: {fault}", path) from None
    for root in foreign_roots(program, EVENT_ROOTS):
        raise InvalidInput(f"The filter reads {root!r}; it may read event.", path)
