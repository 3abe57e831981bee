"""Proves that the exported schema is fresh, described to the last argument, and complete."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLSchema, build_schema

from promptpilot.engine import definition, lifecycle, prompt_texts, step_configs
from promptpilot.engine.dead_letters import DeadLetterStatus
from promptpilot.engine.principal import Role
from promptpilot.engine.triggers import kinds
from promptpilot.engine.triggers.kinds import FiringOutcome, TriggerType
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.engine.version_numbers import ChangeType
from promptpilot.schema.enums import HIDDEN
from promptpilot.schema.export import print_schema_text

ROOT = Path(__file__).parents[2]
BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}
ENUMS: dict[str, type[StrEnum]] = {
    "DeadLetterStatus": DeadLetterStatus,
    "DecisionMode": step_configs.DecisionMode,
    "ExecutionStatus": lifecycle.ExecutionStatus,
    "FiringOutcome": FiringOutcome,
    "FoldPolicy": kinds.FoldPolicy,
    "GapPolicy": kinds.GapPolicy,
    "HttpMethod": step_configs.HttpMethod,
    "MissedRunPolicy": kinds.MissedRunPolicy,
    "ModelErrorPolicy": step_configs.ModelErrorPolicy,
    "ModelProvider": step_configs.ModelProvider,
    "ModelRoutingMode": step_configs.RoutingMode,
    "OverlapPolicy": kinds.OverlapPolicy,
    "PromptVariableType": prompt_texts.PromptVariableType,
    "StepExecutionStatus": lifecycle.StepStatus,
    "StepType": step_configs.StepType,
    "TriggerType": TriggerType,
    "TurnRole": prompt_texts.Role,
    "UnknownOutcomePolicy": definition.UnknownOutcomePolicy,
    "UserRole": Role,
    "VariableDataType": definition.DataType,
    "VersionChangeType": ChangeType,
    "VariableKind": definition.VariableKind,
    "WaitReason": lifecycle.WaitReason,
    "WebhookScheme": WebhookScheme,
}


@pytest.fixture(scope="module")
def exported() -> GraphQLSchema:
    """Give the schema that the exported text describes."""
    return build_schema(print_schema_text())


def test_the_schema_file_is_the_text_of_the_types() -> None:
    stored = (ROOT / "schema.graphql").read_text()

    assert stored == print_schema_text(), "run `make schema`"


def test_every_type_field_argument_and_value_is_described(exported: GraphQLSchema) -> None:
    undescribed = [name for name, text in _descriptions(exported) if not text]

    assert undescribed == []


@pytest.mark.parametrize("name", ENUMS)
def test_an_enumeration_has_the_members_of_the_engine(name: str, exported: GraphQLSchema) -> None:
    shown = exported.get_type(name)

    assert isinstance(shown, GraphQLEnumType)
    assert set(shown.values) == {each.value for each in ENUMS[name] if each not in HIDDEN}


def _descriptions(exported: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    for name, shown in exported.type_map.items():
        if name in BUILT_IN or name.startswith("__"):
            continue
        yield name, shown.description
        members: dict[str, Any] = {**getattr(shown, "fields", {}), **getattr(shown, "values", {})}
        for member, value in members.items():
            yield f"{name}.{member}", value.description
            for argument, its in getattr(value, "args", {}).items():
                yield f"{name}.{member}({argument})", its.description
