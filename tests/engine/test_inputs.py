"""Proves which inputs are taken, how defaults are filled in, and what a refusal names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.definition import DataType, Definition, Variable, VariableKind
from promptpilot.engine.inputs import check_output, fill, has_type, schema_fault
from promptpilot.errors import CallerError, InvalidInput, InvalidMany, LimitExceeded, Required
from tests.support.drafts import variable

PATH = ("input", "input")


def filled(given: dict[str, Any], *variables: Variable, max_bytes: int = 1000) -> dict[str, Any]:
    """Fill an input."""
    return fill(Definition((), variables), given, PATH, max_bytes=max_bytes)


def refused(given: dict[str, Any], *variables: Variable) -> tuple[CallerError, ...]:
    """Return why an input is refused."""
    with pytest.raises(InvalidMany) as refusal:
        filled(given, *variables)
    return refusal.value.errors


def test_defaults_stand_in_for_what_is_missing_or_null() -> None:
    variables = (variable("a", default="x"), variable("b", default="y"), variable("c"))

    assert filled({"b": None, "c": "z"}, *variables) == {"a": "x", "b": "y", "c": "z"}


def test_what_is_given_wins_over_the_default() -> None:
    assert filled({"a": ""}, variable("a", default="x")) == {"a": ""}


def test_only_inputs_can_be_given() -> None:
    output = Variable("o", kind=VariableKind.OUTPUT)

    (error,) = refused({"o": "x"}, variable("a"), output)

    assert error.path == (*PATH, "o")
    assert "its inputs are: a." in error.message


def test_a_required_input_must_be_given() -> None:
    (error,) = refused({"a": None}, variable("a", DataType.NUMBER, is_required=True))

    assert isinstance(error, Required)
    assert (error.path, error.message) == ((*PATH, "a"), "Input 'a' is required: give a number.")


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        (DataType.STRING, 1),
        (DataType.NUMBER, "1"),
        (DataType.NUMBER, True),
        (DataType.BOOLEAN, 0),
        (DataType.ARRAY, {}),
        (DataType.OBJECT, []),
    ],
)
def test_a_value_of_another_type_is_refused(data_type: DataType, value: Any) -> None:
    (error,) = refused({"a": value}, variable("a", data_type))

    assert error.path == (*PATH, "a")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_every_json_value_has_one_type_at_most(value: Any) -> None:
    types = [data_type for data_type in DataType if has_type(value, data_type)]

    assert len(types) == (0 if value is None else 1)


def test_a_schema_names_the_place_inside_the_value() -> None:
    schema = {"properties": {"n": {"items": {"minimum": 3}}}}

    (error,) = refused({"a": {"n": [3, 1]}}, variable("a", DataType.OBJECT, validation=schema))

    assert error.path == (*PATH, "a", "n", "1")


def test_all_faults_are_told_at_once_but_no_more_than_twenty() -> None:
    two = refused({"x": 1, "a": 1}, variable("a"))
    many = refused({f"x{n}": 1 for n in range(30)})

    assert [error.path[-1] for error in two] == ["x", "a"]
    assert len(many) == 20


def test_a_long_value_is_not_repeated_in_the_message() -> None:
    (error,) = refused({"a": "x" * 1000}, variable("a", DataType.NUMBER))

    assert len(error.message) < 100


def test_the_size_counts_bytes_with_the_defaults() -> None:
    assert filled({"a": "ä"}, variable("a"), max_bytes=len('{"a":"ää"}'))

    with pytest.raises(LimitExceeded) as refusal:
        filled({}, variable("a", default="ä"), max_bytes=len('{"a":"ä"}'))
    assert (refusal.value.limit, refusal.value.path) == (9, PATH)


def test_what_is_not_json_is_refused_first() -> None:
    with pytest.raises(InvalidInput) as refusal:
        filled({"a": float("nan")}, variable("a"))

    assert refusal.value.path == (*PATH, "a")


def test_no_pattern_can_stall_the_server() -> None:
    slow = variable("a", validation={"pattern": "^(a+)+$"})

    (error,) = refused({"a": "a" * 200 + "!"}, slow)

    assert error.path == (*PATH, "a")


def test_a_faulty_schema_is_described_in_one_line() -> None:
    fault = schema_fault({"type": 1})

    assert fault
    assert "\n" not in fault
    assert schema_fault({"type": "string"}) is None


def _outputs(**others: Any) -> Definition:
    made = variable("o", kind=VariableKind.OUTPUT, data_type=DataType.NUMBER, **others)
    return Definition((), (made,))


@pytest.mark.parametrize("output", [{"o": 1}, {"o": None}, {}])
def test_an_output_of_its_kind_or_none_is_fine(output: dict[str, Any]) -> None:
    check_output(_outputs(), output)


def test_an_output_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Output o must be a number") as refusal:
        check_output(_outputs(), {"o": "str"})

    assert refusal.value.path == ("output", "o")


def test_a_required_output_must_be_set() -> None:
    with pytest.raises(InvalidInput, match="No step has set the output 'o'"):
        check_output(_outputs(is_required=True), {"o": None})
