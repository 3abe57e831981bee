"""Proves that samples are always the same and pass the schemas that people write."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.definition import DataType, Variable
from promptpilot.engine.inputs import fits, value_faults
from promptpilot.engine.samples import sample, sample_of

SCHEMAS: list[dict[str, Any]] = [
    {"type": "string", "minLength": 30, "maxLength": 40},
    {"type": "string", "maxLength": 2},
    {"type": "string", "format": "email"},
    {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"},
    {"type": "string", "pattern": "^[0-9]{5}$"},
    {"type": "integer", "minimum": 7},
    {"type": "integer", "exclusiveMinimum": 7, "multipleOf": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
    {"type": "number", "maximum": -3},
    {"type": ["null", "boolean"]},
    {"const": {"a": 1}},
    {"enum": ["low", "high"]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": False},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": False},
    {"type": "object", "required": ["id"], "additionalProperties": False, "properties": {"id": {}}},
    {"properties": {"tags": {"items": {"enum": ["x"]}}, "at": {"format": "date-time"}}},
    {"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "integer"}}}]},
    {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "string"}]},
    {"$ref": "#/$defs/it", "$defs": {"it": {"type": "integer", "maximum": 0}}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_a_sample_passes_its_schema(schema: dict[str, Any]) -> None:
    made = sample(schema)

    assert fits(schema, made), made
    assert made == sample(schema)


@pytest.mark.parametrize("data_type", list(DataType))
def test_a_variable_without_a_validation_has_a_sample_of_its_type(data_type: DataType) -> None:
    variable = Variable("topic", data_type=data_type)

    assert list(value_faults(variable, sample_of(variable), ())) == []


def test_a_default_is_its_own_sample() -> None:
    assert sample_of(Variable("topic", default="roofs")) == "roofs"


def test_a_schema_that_refers_to_itself_without_end_has_a_sample_all_the_same() -> None:
    node = {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdefgh"}}

    assert isinstance(sample(node | {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}), dict | None)


def test_nothing_is_fit_for_a_schema_that_is_none() -> None:
    assert not fits({"type": "strnig"}, "text")
