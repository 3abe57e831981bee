"""What must be true of a definition before it can run, found when it is saved.

Every fault names the step and the field, so that a person can mend all of them in one go. What
only the database knows (whether a stored prompt exists) is checked by `workflows`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from promptpilot.engine import step_checks
from promptpilot.engine.definition import END, Definition, Variable, VariableKind
from promptpilot.engine.fault import Fault
from promptpilot.engine.inputs import schema_fault, value_faults
from promptpilot.errors import InvalidInput, InvalidMany

__all__ = ["Fault", "check", "require_valid"]

MAX_STEPS = 100
MAX_VARIABLES = 200
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MAX_FAULTS = 50
_MAX_MESSAGE = 1000


def check(definition: Definition) -> tuple[Fault, ...]:
    """Return everything that would make an execution of the definition fail, at most 50 faults."""
    found = chain(
        _check_counts(definition),
        _check_names([step.name for step in definition.steps], "steps"),
        _check_names([variable.name for variable in definition.variables], "variables"),
        _check_variables(definition),
        step_checks.check_steps(definition),
    )
    return tuple(_short(fault) for fault, _ in zip(found, range(_MAX_FAULTS), strict=False))


def require_valid(definition: Definition, prefix: tuple[str, ...] = ("input",)) -> None:
    """Raise `InvalidMany` of every error, with paths that begin with `prefix`."""
    errors = [fault for fault in check(definition) if fault.severity == "ERROR"]
    if errors:
        raise InvalidMany([InvalidInput(each.message, (*prefix, *each.path)) for each in errors])


def _short(fault: Fault) -> Fault:
    """Return the fault with a message of bounded length: it may repeat what was given."""
    if len(fault.message) <= _MAX_MESSAGE:
        return fault
    half = _MAX_MESSAGE // 2
    return replace(fault, message=f"{fault.message[:half]} … {fault.message[-half:]}")


def _check_counts(definition: Definition) -> Iterator[Fault]:
    if len(definition.steps) > MAX_STEPS:
        message = f"A workflow has at most {MAX_STEPS} steps; this one has {len(definition.steps)}."
        yield Fault("TOO_MANY_STEPS", message, ("steps",))
    if len(definition.variables) > MAX_VARIABLES:
        yield Fault(
            "TOO_MANY_VARIABLES",
            f"A workflow has at most {MAX_VARIABLES} variables.",
            ("variables",),
        )


def _check_names(names: Iterable[str], field: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, name in enumerate(names):
        path = (field, str(position), "name")
        if not _NAME.fullmatch(name) or name == END:
            message = (
                f"{name!r} is not a name: use a letter or _, then letters, digits and _, at most "
                f"64 characters, and not {END}."
            )
            yield Fault("INVALID_NAME", message, path)
        elif name in seen:
            yield Fault("NOT_UNIQUE", f"The name {name!r} is used twice; rename one.", path)
        seen.add(name)


def _check_variables(definition: Definition) -> Iterator[Fault]:
    set_names = {name for step in definition.steps for name in step.outputs}
    for position, variable in enumerate(definition.variables):
        path = ("variables", str(position))
        yield from _check_variable(variable, path)
        if variable.kind is VariableKind.OUTPUT and variable.name not in set_names:
            message = (
                f"No step sets the output {variable.name!r}: name it in the `outputs` of a step."
            )
            yield Fault("OUTPUT_NOT_SET", message, path)


def _check_variable(variable: Variable, path: tuple[str, ...]) -> Iterator[Fault]:
    if variable.validation is not None:
        fault = schema_fault(variable.validation)
        if fault is not None:
            message = f"The validation of {variable.name!r} is no JSON Schema: {fault}"
            yield Fault("INVALID_SCHEMA", message, (*path, "validation"))
            return
    if variable.default is not None:
        for error in value_faults(variable, variable.default, (*path, "defaultValue")):
            yield Fault("INVALID_DEFAULT", f"Default of {error.message}", error.path)
