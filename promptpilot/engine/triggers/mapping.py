"""Makes the input of an execution out of a call, with expressions over payload and headers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from promptpilot.engine.expression import ExpressionFailed, ExpressionSyntaxError, Program, parse
from promptpilot.engine.gathering import raise_all
from promptpilot.errors import CallerError, InvalidInput

Path = tuple[str, ...]

#: What the expressions may read.
ROOTS: Final = frozenset({"payload", "headers"})


def check_mapping(mapping: Mapping[str, Any], inputs: Collection[str], path: Path) -> None:
    """Raise InvalidInput or InvalidMany unless every entry can make one of the `inputs`."""
    if not isinstance(mapping, dict):
        raise InvalidInput(f"{path[-1]} must be a JSON object of name -> expression.", path)
    raise_all(
        [
            fault
            for name, source in mapping.items()
            for fault in _entry_faults(name, source, inputs, (*path, name))
        ]
    )


def map_input(
    mapping: Mapping[str, str], payload: Any, headers: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """Return the values that the expressions have for this call.

    Raises InvalidInput or InvalidMany, which name the inputs, for expressions that have none.
    """
    scope = {"payload": payload, "headers": headers}
    values: dict[str, Any] = {}
    faults: list[CallerError] = []
    for name, source in mapping.items():
        try:
            values[name] = parse(source).evaluate(scope, now)
        except ExpressionFailed as failure:
            message = f"The input {name!r} cannot be made of this call: {failure.message}"
            faults.append(InvalidInput(message, ("input", name)))
    raise_all(faults)
    return values


def _entry_faults(
    name: str, source: Any, inputs: Collection[str], path: Path
) -> Iterator[CallerError]:
    if name not in inputs:
        known = ", ".join(inputs) or "none"
        message = f"The workflow has no input {name!r}; its inputs are: {known}."
        yield InvalidInput(message, path)
    if not isinstance(source, str):
        yield InvalidInput(f"The entry for {name!r} must be an expression as text.", path)
        return
    try:
        program = parse(source)
    except ExpressionSyntaxError as fault:
        yield InvalidInput(f"The expression for {name!r} cannot be read: {fault}", path)
        return
    yield from _root_faults(name, program, path)


def _root_faults(name: str, program: Program, path: Path) -> Iterator[CallerError]:
    roots = {reference.path[0] for reference in program.references}
    for root in sorted(roots - ROOTS):
        message = f"The expression for {name!r} reads {root!r}; it may read payload and headers."
        yield InvalidInput(message, path)
