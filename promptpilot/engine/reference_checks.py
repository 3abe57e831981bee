"""Checks what a text of a step reads: it must exist, come earlier, and be sure to be there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from promptpilot.engine.definition import Definition, Step, VariableKind
from promptpilot.engine.expression import Reference
from promptpilot.engine.fault import Fault
from promptpilot.engine.reading import Reading
from promptpilot.engine.references import is_sure

ROOTS = frozenset(
    {"input", "steps", "vars", "variables", "previous", "trigger", "execution", "workflow"}
)
_STEP_FIELDS = frozenset({"output", "status", "error"})
_FACTS = {
    "trigger": frozenset({"type", "id", "scheduledFor", "headers", "payload"}),
    "execution": frozenset({"id", "createdAt"}),
    "workflow": frozenset({"id", "revision"}),
}


@dataclass(frozen=True, slots=True)
class _Reader:
    """A text of the step at `position`, and what it may read besides the steps before it."""

    definition: Definition
    position: int
    step: Step
    reading: Reading

    @property
    def has_own_result(self) -> bool:
        """Whether the step has ended when the text is evaluated."""
        return self.reading.path[0] == "outputs"

    @property
    def has_own_inputs(self) -> bool:
        """Whether the step's inputs are computed when the text is evaluated."""
        return self.reading.path[0] == "config"


def check_reading(
    definition: Definition, position: int, step: Step, reading: Reading
) -> Iterator[Fault]:
    """Yield the faults of everything that `reading`, a text of the step at `position`, reads."""
    reader = _Reader(definition, position, step, reading)
    for reference in sorted(reading.references, key=lambda each: each.path):
        for code, message in _check(reader, reference):
            yield Fault(code, message, reading.path)
    for name in sorted(reading.bare_names):
        if not is_known_name(definition, position, step, name):
            message = (
                f"{{{{{name}}}}} is neither an input of the workflow, nor one of the step's "
                "inputs, nor set by an earlier step."
            )
            yield Fault("UNKNOWN_VARIABLE", message, reading.path)


def is_known_name(definition: Definition, position: int, step: Step, name: str) -> bool:
    """Whether something can be the value of a name in the texts of the step at `position`."""
    inputs = {variable.name for variable in definition.variables_of(VariableKind.INPUT)}
    return name in inputs or name in step.inputs or bool(_setters(definition, position, name))


def _check(reader: _Reader, reference: Reference) -> Iterator[tuple[str, str]]:
    root, *fields = reference.path
    match root:
        case "output" if "output" in reader.reading.own_roots:
            return
        case "steps":
            yield from _check_step_reference(reader, fields, reference)
        case "input":
            yield from _check_input(reader.definition, fields)
        case "vars" | "variables":
            yield from _check_variable(reader, fields, reference)
        case "trigger" | "execution" | "workflow":
            yield from _check_fact(root, fields)
        case "previous":
            return
        case _:
            known = ", ".join(sorted(ROOTS))
            yield "UNKNOWN_VARIABLE", f"{root!r} is not known here; begin with one of: {known}."


def _check_step_reference(
    reader: _Reader, fields: list[str], reference: Reference
) -> Iterator[tuple[str, str]]:
    if not fields:
        return
    name = fields[0]
    source = reader.definition.index.get(name)
    is_own = source == reader.position and reader.has_own_result
    if source is None:
        yield "UNKNOWN_STEP", f"steps.{name}: there is no step {name!r}."
    elif source >= reader.position and not is_own:
        yield "FORWARD_REFERENCE", f"steps.{name}: the step {name!r} does not come earlier."
    elif len(fields) > 1 and fields[1] not in _STEP_FIELDS:
        message = f"steps.{name}.{fields[1]}: a step has output, status and error."
        yield "UNKNOWN_FIELD", f"{message} Did you mean steps.{name}.output.{fields[1]}?"
    elif _reads_into_output(fields, reference) and not (
        is_own or is_sure(reader.definition, [source], reader.position)
    ):
        yield (
            "MAYBE_SKIPPED",
            (
                f"steps.{name}.output: the step {name!r} may be left out or fail; read it as "
                f"default({'.'.join(reference.path)}, …) or guard this step."
            ),
        )


def _reads_into_output(fields: list[str], reference: Reference) -> bool:
    return fields[1:2] == ["output"] and not reference.is_guarded


def _check_input(definition: Definition, fields: list[str]) -> Iterator[tuple[str, str]]:
    names = [variable.name for variable in definition.variables_of(VariableKind.INPUT)]
    if fields and fields[0] not in names:
        known = ", ".join(names) or "none"
        yield (
            "UNKNOWN_VARIABLE",
            (f"input.{fields[0]}: the workflow declares no such input; its inputs are: {known}."),
        )


def _check_variable(
    reader: _Reader, fields: list[str], reference: Reference
) -> Iterator[tuple[str, str]]:
    if not fields or (reader.has_own_inputs and fields[0] in reader.step.inputs):
        return
    name = fields[0]
    setters = _setters(reader.definition, reader.position, name)
    if not setters:
        yield "UNKNOWN_VARIABLE", f"vars.{name}: no earlier step sets it in its `outputs`."
    elif not reference.is_guarded and not is_sure(reader.definition, setters, reader.position):
        yield (
            "MAYBE_SKIPPED",
            (f"vars.{name}: what sets it may be left out; read it as default(vars.{name}, …)."),
        )


def _check_fact(root: str, fields: list[str]) -> Iterator[tuple[str, str]]:
    if fields and fields[0] not in _FACTS[root]:
        known = ", ".join(sorted(_FACTS[root]))
        yield "UNKNOWN_FIELD", f"{root}.{fields[0]}: {root} has {known}."


def _setters(definition: Definition, reader: int, name: str) -> list[int]:
    earlier = enumerate(definition.steps[:reader])
    return [position for position, step in earlier if name in step.outputs]
