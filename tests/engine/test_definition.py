"""Proves that a stored definition is read as it was written, and hashed by what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from promptpilot.engine.definition import (
    DataType,
    Definition,
    RetryPolicy,
    Step,
    Variable,
    VariableKind,
    digest,
    dump,
    load,
)
from promptpilot.engine.step_configs import (
    ModelErrorPolicy,
    ModelProvider,
    ModelRouting,
    ModelTarget,
    PromptConfig,
    RoutingMode,
    StepType,
    dump_config,
    load_config,
)
from promptpilot.errors import InvariantBroken
from tests.support.definitions import definitions
from tests.support.drafts import condition, prompt, transform

_ROUTING = ModelRouting(RoutingMode.FALLBACK, ModelErrorPolicy.CONTINUE, 2)
_MODEL = ModelTarget(ModelProvider.OPENAI, "m", "l", "cred_1", {"topP": 0.5}, is_disabled=True)
FULL = Definition(
    steps=(
        transform("a"),
        condition("b", then_step="c", else_step="END"),
        Step(
            "c",
            PromptConfig((_MODEL,), "Hi {{x}}", "Be brief.", None, None, _ROUTING),
            id="st_1",
            inputs={"x": "input.x"},
            outputs={"y": "output.text"},
            run_if="true",
            retry=RetryPolicy(3, 10, 20, 1.5),
            timeout_seconds=5,
            continue_on_error=True,
        ),
    ),
    variables=(
        Variable(
            "x",
            "var_1",
            data_type=DataType.NUMBER,
            description="An x.",
            is_required=True,
            default=1,
            validation={"minimum": 0},
        ),
        Variable("y", kind=VariableKind.OUTPUT),
    ),
)


def stored(definition: Definition) -> Any:
    """Return the document as the database gives it back."""
    return json.loads(json.dumps(dump(definition)))


def test_every_field_survives_being_stored() -> None:
    assert load(stored(FULL)) == FULL


@given(definitions())
def test_any_definition_survives_being_stored(definition: Definition) -> None:
    assert load(stored(definition)) == definition
    assert digest(load(stored(definition))) == digest(definition)


def test_the_digest_changes_with_any_step() -> None:
    changed = replace(FULL, steps=(transform("a", v="2"), *FULL.steps[1:]))

    assert digest(changed) != digest(FULL)


@pytest.mark.parametrize("step", FULL.steps, ids=lambda step: step.type)
def test_a_configuration_is_read_by_its_type(step: Step) -> None:
    document = json.loads(json.dumps(dump_config(step.config)))

    assert load_config(step.type, document) == step.config


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.pop("steps"),
        lambda document: document["steps"][0].pop("name"),
        lambda document: document["steps"][0].update(type="NONSENSE"),
        lambda document: document["steps"][0].update(unheard_of=1),
        lambda document: document["steps"][0].update(type="LOOP"),
        lambda document: document["variables"][0].update(kind="NONSENSE"),
    ],
    ids=["no steps", "no name", "unknown type", "unknown field", "later type", "unknown kind"],
)
def test_a_document_that_was_not_dumped_breaks_an_invariant(damage: Any) -> None:
    document = stored(FULL)
    damage(document)

    with pytest.raises(InvariantBroken):
        load(document)


def test_jumps_lead_to_the_next_step_a_named_one_or_the_end() -> None:
    targets = [FULL.target_of(name, 0) for name in (None, "c", "END")]

    assert targets == [1, 2, 3]


def test_variables_are_found_by_their_kind() -> None:
    assert [each.name for each in FULL.variables_of(VariableKind.OUTPUT)] == ["y"]


def test_a_step_knows_its_type_by_its_configuration() -> None:
    types = [transform("a").type, condition("b").type, prompt("c").type]

    assert types == [StepType.TRANSFORM, StepType.CONDITION, StepType.PROMPT]
