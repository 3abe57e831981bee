"""Makes the input of an execution out of a call or an event, with expressions over it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from promptpilot.engine.expression import ExpressionFailed, ExpressionSyntaxError, Program, parse
from promptpilot.engine.gathering import raise_all
from promptpilot.errors import CallerError, InvalidInput

Path = tuple[str, ...]

#: What the expressions over a call may read, and those over an event.
CALL_ROOTS: Final = ("payload", "headers")
EVENT_ROOTS: Final = ("event",)


def check_mapping(
    mapping: Mapping[str, Any],
    inputs: Collection[str],
    path: Path,
    roots: Collection[str] = CALL_ROOTS,
) -> None:
    """Raise InvalidInput or InvalidMany unless every entry can make one of the `inputs`."""
    if not isinstance(mapping, dict):
        raise InvalidInput(f"{path[-1]} must be a JSON object of name -> expression.", path)
    faults: list[CallerError] = []
    for name, source in mapping.items():
        place = (*path, name)
        faults += [*_name_faults(name, inputs, place), *_source_faults(name, source, place, roots)]
    raise_all(faults)


def map_input(
    mapping: Mapping[str, str], payload: Any, headers: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """Return the values that the expressions have for this call.

    Raises InvalidInput or InvalidMany, which name the inputs, for expressions that have none.
    """
    return _evaluate(mapping, {"payload": payload, "headers": headers}, now, "call")


def map_event(
    mapping: Mapping[str, str], event: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Return the values that the expressions have for this event; raises as `map_input`."""
    return _evaluate(mapping, {"event": event}, now, "event")


def foreign_roots(program: Program, roots: Collection[str]) -> list[str]:
    """Return what an expression reads and may not, in order."""
    return sorted({reference.path[0] for reference in program.references} - set(roots))


def _evaluate(
    mapping: Mapping[str, str], scope: Mapping[str, Any], now: datetime, source: str
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    faults: list[CallerError] = []
    for name, text in mapping.items():
        try:
            values[name] = parse(text).evaluate(scope, now)
        except ExpressionFailed as failure:
            message = f"The input {name!r} cannot be made of this {source}: {failure.message}"
            faults.append(InvalidInput(message, ("input", name)))
    raise_all(faults)
    return values


def _name_faults(name: str, inputs: Collection[str], path: Path) -> Iterator[CallerError]:
    if name not in inputs:
        known = ", ".join(inputs) or "none"
        message = f"The workflow has no input {name!r}; its inputs are: {known}."
        yield InvalidInput(message, path)


def _source_faults(
    name: str, source: Any, path: Path, roots: Collection[str]
) -> Iterator[CallerError]:
    if not isinstance(source, str):
        yield InvalidInput(f"The entry for {name!r} must be an expression as text.", path)
        return
    try:
        program = parse(source)
    except ExpressionSyntaxError as fault:
        yield InvalidInput(f"The expression for {name!r} cannot be read: {fault}", path)
        return
    known = " and ".join(roots)
    for root in foreign_roots(program, roots):
        message = f"The expression for {name!r} reads {root!r}; it may read {known}."
        yield InvalidInput(message, path)
