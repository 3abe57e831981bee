"""Checks the values that an execution is started with against the workflow's variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from promptpilot.engine.definition import DataType, Definition, Variable, VariableKind
from promptpilot.errors import CallerError, InvalidInput, InvalidMany, LimitExceeded, Required
from promptpilot.models.columns import check_json, dump_json, encode_json

Path = tuple[str, ...]

_MAX_FAULTS = 20

_WORDS: Mapping[DataType, str] = {
    DataType.STRING: "a string",
    DataType.NUMBER: "a number",
    DataType.BOOLEAN: "true or false",
    DataType.ARRAY: "a list",
    DataType.OBJECT: "an object",
}


def fill(
    definition: Definition, given: Mapping[str, Any], path: Path, *, max_bytes: int
) -> dict[str, Any]:
    """Return the input with defaults filled in.

    Raises `InvalidMany` naming every value that is missing, unknown or not acceptable, and
    `LimitExceeded` when the whole is larger than `max_bytes` of JSON.
    """
    check_json(dict(given), path)
    declared = definition.variables_of(VariableKind.INPUT)
    values = {each.name: each.default for each in declared if each.default is not None}
    values |= {name: value for name, value in given.items() if value is not None}
    faults = [*_unknown(declared, given, path), *_unfit(declared, values, path)]
    if faults:
        raise InvalidMany(faults[:_MAX_FAULTS])
    size = len(encode_json(values).encode())
    if size > max_bytes:
        message = f"The input has {size} bytes of JSON; at most {max_bytes} are taken."
        raise LimitExceeded(message, max_bytes, path)
    return values


def check_output(definition: Definition, output: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` for the first OUTPUT variable whose value is not of its kind.

    A value that no step has set is null, and allowed unless the variable is required.
    """
    for variable in definition.variables_of(VariableKind.OUTPUT):
        value = output.get(variable.name)
        if value is None and variable.is_required:
            raise InvalidInput(f"No step has set the output {variable.name!r}.", ("output",))
        if value is not None:
            for fault in value_faults(variable, value, ("output", variable.name)):
                raise InvalidInput(f"Output {fault.message}", fault.path)


def schema_fault(schema: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a variable's JSON Schema; None if it can be used."""
    try:
        _validator(dump_json(dict(schema)))
    except (ValueError, jsonschema_rs.ValidationError) as fault:
        return str(fault).splitlines()[0]
    return None


def fits(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a value passes a JSON Schema; none passes one that cannot be used."""
    try:
        return _validator(dump_json(dict(schema))).is_valid(value)
    except (ValueError, jsonschema_rs.ValidationError):
        return False


def has_type(value: Any, data_type: DataType) -> bool:
    """Whether a JSON value is of a variable's type."""
    match data_type:
        case DataType.STRING:
            return isinstance(value, str)
        case DataType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case DataType.BOOLEAN:
            return isinstance(value, bool)
        case DataType.ARRAY:
            return isinstance(value, list)
        case DataType.OBJECT:
            return isinstance(value, Mapping)


def value_faults(variable: Variable, value: Any, path: Path) -> Iterator[CallerError]:
    """Yield what is wrong with the value of a variable."""
    if not has_type(value, variable.data_type):
        wanted = _WORDS[variable.data_type]
        yield InvalidInput(f"{variable.name} must be {wanted}, not {_shown(value)}.", path)
        return
    if variable.validation is None:
        return
    validator = _validator(dump_json(dict(variable.validation)))
    for error in validator.iter_errors(value):
        place = (*path, *(str(part) for part in error.instance_path))
        yield InvalidInput(f"{variable.name}: {error.message}", place)


def _unknown(
    declared: tuple[Variable, ...], given: Mapping[str, Any], path: Path
) -> Iterator[CallerError]:
    names = [variable.name for variable in declared]
    for name in given:
        if name not in names:
            known = ", ".join(names) or "none"
            message = f"The workflow has no input {name!r}; its inputs are: {known}."
            yield InvalidInput(message, (*path, name))


def _unfit(
    declared: tuple[Variable, ...], values: Mapping[str, Any], path: Path
) -> Iterator[CallerError]:
    for variable in declared:
        place = (*path, variable.name)
        if variable.name in values:
            yield from value_faults(variable, values[variable.name], place)
        elif variable.is_required:
            wanted = _WORDS[variable.data_type]
            yield Required(f"Input {variable.name!r} is required: give {wanted}.", place)


@lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled schema. References may only lead into the schema itself."""
    return jsonschema_rs.Draft202012Validator(
        orjson.loads(schema),
        retriever=_refuse_reference,
        pattern_options=jsonschema_rs.RegexOptions(),  # linear: no pattern can stall the server
    )


def _refuse_reference(uri: str) -> Any:
    raise ValueError(f"a schema may not refer to {uri}; put it into $defs")


def _shown(value: Any) -> str:
    text = dump_json(value)
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 -- a readable excerpt
