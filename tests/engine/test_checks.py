"""Proves that every rule of a definition is found, with the path to it and a way out."""

from __future__ import annotations

import pytest

from promptpilot.engine.checks import MAX_STEPS, MAX_VARIABLES, check, require_valid
from promptpilot.engine.definition import DataType, Definition, Step, Variable, VariableKind
from promptpilot.errors import InvalidMany
from tests.support.drafts import transform, variable


def found(*steps: Step, variables: tuple[Variable, ...] = ()) -> list[tuple[str, str]]:
    """Return code and path of each fault."""
    faults = check(Definition(steps, variables))
    return [(fault.code, ".".join(fault.path)) for fault in faults]


def test_a_workflow_without_steps_is_valid() -> None:
    assert found() == []


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "END", "ä", "a" * 65, "a\n"], ids=repr)
def test_a_step_needs_a_name_that_expressions_can_say(name: str) -> None:
    assert found(transform(name)) == [("INVALID_NAME", "steps.0.name")]


def test_a_long_name_is_not_repeated_whole() -> None:
    (fault,) = check(Definition((transform("a" * 100_000),)))

    assert len(fault.message) < 1100
    assert fault.message.endswith("and not END.")


@pytest.mark.parametrize("name", ["a", "_", "A1_", "a" * 64, "end"])
def test_a_name_may_be_any_short_identifier(name: str) -> None:
    assert found(transform(name)) == []


def test_names_of_steps_are_unique() -> None:
    assert found(transform("a"), transform("b"), transform("a")) == [("NOT_UNIQUE", "steps.2.name")]


def test_names_of_variables_are_unique_names() -> None:
    variables = (variable("a"), variable("a"), variable("b-c"))

    assert found(variables=variables) == [
        ("NOT_UNIQUE", "variables.1.name"),
        ("INVALID_NAME", "variables.2.name"),
    ]


def test_a_workflow_has_a_limit_of_steps_and_variables() -> None:
    steps = [transform(f"s{n}") for n in range(MAX_STEPS + 1)]
    variables = tuple(variable(f"v{n}") for n in range(MAX_VARIABLES + 1))

    assert found(*steps[:-1], variables=variables[:-1]) == []
    assert found(*steps, variables=variables) == [
        ("TOO_MANY_STEPS", "steps"),
        ("TOO_MANY_VARIABLES", "variables"),
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"pattern": "("},
        {"$ref": "https://example.org/schema"},
        {"$ref": "file:///etc/passwd"},
    ],
    ids=str,
)
def test_a_validation_is_a_json_schema_of_its_own(schema: dict[str, object]) -> None:
    faulty = variable("a", validation=schema)

    assert found(variables=(faulty,)) == [("INVALID_SCHEMA", "variables.0.validation")]


def test_a_schema_may_refer_to_its_own_definitions() -> None:
    schema = {"$ref": "#/$defs/short", "$defs": {"short": {"maxLength": 3}}}

    assert found(variables=(variable("a", validation=schema),)) == []


@pytest.mark.parametrize(
    ("faulty", "path"),
    [
        (variable("a", DataType.NUMBER, default="x"), "variables.0.defaultValue"),
        (variable("a", default="xxxx", validation={"maxLength": 3}), "variables.0.defaultValue"),
        (
            variable("a", DataType.ARRAY, default=[1], validation={"items": {"type": "string"}}),
            "variables.0.defaultValue.0",
        ),
    ],
)
def test_a_default_must_be_an_acceptable_value(faulty: Variable, path: str) -> None:
    assert found(variables=(faulty,)) == [("INVALID_DEFAULT", path)]


def test_a_declared_output_must_be_set_by_a_step() -> None:
    outputs = tuple(Variable(name, kind=VariableKind.OUTPUT) for name in ("x", "y"))
    step = Step("a", transform("a").config, outputs={"x": "output.value"})

    assert found(step, variables=outputs) == [("OUTPUT_NOT_SET", "variables.1")]


def test_at_most_fifty_faults_are_told() -> None:
    assert len(found(*[transform(f"{n}") for n in range(60)])) == 50


def test_faults_of_a_step_name_it() -> None:
    (fault,) = check(Definition((transform("a", x="nonsense"),)))

    assert (fault.step_name, fault.severity) == ("a", "ERROR")


def test_a_definition_with_faults_is_refused_with_all_of_them() -> None:
    faulty = Definition((transform("1"), transform("a", x="1 +")))

    with pytest.raises(InvalidMany) as refusal:
        require_valid(faulty, ("input", "draft"))

    assert [error.path for error in refusal.value.errors] == [
        ("input", "draft", "steps", "0", "name"),
        ("input", "draft", "steps", "1", "config", "transform", "set", "x"),
    ]


def test_a_valid_definition_is_accepted() -> None:
    require_valid(Definition((transform("a"),)))
