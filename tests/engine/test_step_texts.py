"""Proves that no text of a step escapes the check that it can be stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.definition import Step, Variable
from promptpilot.engine.step_configs import (
    Choice,
    ConditionConfig,
    DecisionConfig,
    DecisionMode,
    DelayConfig,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    RequestConfig,
    RequestHeader,
    StepConfig,
    TransformConfig,
)
from promptpilot.engine.step_texts import storable
from promptpilot.errors import InvalidInput

BAD = "\x00"
REQUEST = RequestConfig("https://a/")
MANUAL = DecisionConfig(DecisionMode.MANUAL, (Choice("yes"), Choice("no")))


def asking(**fields: Any) -> PromptConfig:
    """Make the configuration of a PROMPT step with one model."""
    return PromptConfig((ModelTarget(ModelProvider.SIMULATOR, **{"model": "echo", **fields}),))


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (PromptConfig((), content=BAD), "prompt.content"),
        (PromptConfig((), instructions=BAD), "prompt.instructions"),
        (asking(model=BAD), "prompt.models.0.model"),
        (asking(label=BAD), "prompt.models.0.label"),
        (asking(credential_id=BAD), "prompt.models.0.credentialId"),
        (asking(parameters={"extra": BAD}), "prompt.models.0.parameters.extra"),
        (ConditionConfig(BAD), "condition.condition"),
        (ConditionConfig("true", then_step=BAD), "condition.thenStepName"),
        (ConditionConfig("true", else_step=BAD), "condition.elseStepName"),
        (TransformConfig({"v": BAD}), "transform.set.v"),
        (DelayConfig(until=BAD), "delay.until"),
        (DelayConfig(reason=BAD), "delay.reason"),
        (replace(REQUEST, url=BAD), "webhook.url"),
        (replace(REQUEST, body={"a": [BAD]}), "webhook.body.a.0"),
        (replace(REQUEST, headers=(RequestHeader(BAD, "v"),)), "webhook.headers.0.name"),
        (replace(REQUEST, headers=(RequestHeader("a", BAD),)), "webhook.headers.0.value"),
        (replace(MANUAL, question=BAD), "decision.question"),
        (replace(MANUAL, default_choice=BAD), "decision.defaultChoice"),
        (replace(MANUAL, choices=(Choice(BAD),)), "decision.choices.0.name"),
        (replace(MANUAL, choices=(Choice("a", BAD),)), "decision.choices.0.condition"),
        (replace(MANUAL, choices=(Choice("a", None, BAD),)), "decision.choices.0.nextStepName"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_stored_is_refused_with_its_path(config: StepConfig, path: str) -> None:
    checks = list(storable([Step("a", config)], []))

    faults = [fault for check in checks if (fault := _fault(check)) is not None]

    assert faults == [f"input.steps.0.config.{path}"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": BAD}, "name"),
        ({"inputs": {"x": BAD}}, "inputs.x"),
        ({"outputs": {"x": BAD}}, "outputs.x"),
        ({"run_if": BAD}, "runIf"),
    ],
    ids=["name", "inputs", "outputs", "runIf"],
)
def test_texts_of_every_step_are_checked(change: dict[str, Any], path: str) -> None:
    step = replace(Step("a", DelayConfig(1)), **change)

    faults = [fault for check in storable([step], []) if (fault := _fault(check)) is not None]

    assert faults == [f"input.steps.0.{path}"]


@pytest.mark.parametrize("field", ["name", "description", "default", "validation"])
def test_texts_of_variables_are_checked(field: str) -> None:
    value: Any = {"title": BAD} if field == "validation" else BAD
    changed: dict[str, Any] = {field: value}
    variable = replace(Variable("x"), **changed)

    faults = [fault for check in storable([], [variable]) if (fault := _fault(check)) is not None]

    shown = {"default": "defaultValue", "validation": "validation.title"}.get(field, field)
    assert faults == [f"input.variables.0.{shown}"]


def _fault(check: object) -> str | None:
    assert callable(check)
    try:
        check()
    except InvalidInput as fault:
        return ".".join(fault.path)
    return None
