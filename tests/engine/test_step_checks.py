"""Proves the rules of each type of step, with the path to the field that breaks one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.definition import Definition, RetryPolicy, Step
from promptpilot.engine.step_checks import check_steps
from promptpilot.engine.step_configs import (
    Choice,
    ConditionConfig,
    DecisionConfig,
    DecisionMode,
    DelayConfig,
    ModelProvider,
    ModelRouting,
    ModelTarget,
    PromptConfig,
    TransformConfig,
)
from tests.support.drafts import condition, prompt, transform

MODEL = ModelTarget(ModelProvider.SIMULATOR, "echo")


def found(*steps: Step) -> list[tuple[str, str]]:
    """Return code and path of each fault."""
    return [(fault.code, ".".join(fault.path)) for fault in check_steps(Definition(steps))]


def asking(*models: ModelTarget, **others: Any) -> Step:
    """Make a PROMPT step."""
    return Step("a", PromptConfig(models, **{"content": "Hi", **others}))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"retry": RetryPolicy(max_attempts=0)}, "retry.maxAttempts"),
        ({"retry": RetryPolicy(max_attempts=11)}, "retry.maxAttempts"),
        ({"retry": RetryPolicy(initial_delay_ms=-1)}, "retry.initialDelayMs"),
        ({"retry": RetryPolicy(max_delay_ms=86_400_001)}, "retry.maxDelayMs"),
        ({"retry": RetryPolicy(backoff_factor=0.9)}, "retry.backoffFactor"),
        ({"retry": RetryPolicy(backoff_factor=float("nan"))}, "retry.backoffFactor"),
        ({"timeout_seconds": 0}, "timeoutSeconds"),
        ({"timeout_seconds": 86_401}, "timeoutSeconds"),
    ],
    ids=str,
)
def test_limits_of_a_step(change: dict[str, Any], path: str) -> None:
    assert found(replace(transform("a"), **change)) == [("OUT_OF_RANGE", f"steps.0.{path}")]


def test_limits_themselves_are_allowed() -> None:
    widest = RetryPolicy(10, 86_400_000, 86_400_000, 10)

    assert found(replace(transform("a"), retry=widest, timeout_seconds=86_400)) == []


@pytest.mark.parametrize(
    "config",
    [
        DelayConfig(5),
        DecisionConfig(DecisionMode.MANUAL, (Choice("yes"), Choice("no"))),
        DecisionConfig(DecisionMode.RULES, (Choice("yes", "true"), Choice("no", "true"))),
    ],
    ids=str,
)
def test_a_step_that_waits_has_a_limit_of_its_own(config: DelayConfig | DecisionConfig) -> None:
    step = Step("a", config, timeout_seconds=60)

    assert found(step) == [("NOT_APPLICABLE", "steps.0.timeoutSeconds")]


@pytest.mark.parametrize(
    ("config", "code", "field"),
    [
        (DelayConfig(), "REQUIRED", "durationSeconds"),
        (DelayConfig(5, "now()"), "REQUIRED", "durationSeconds"),
        (DelayConfig(0), "OUT_OF_RANGE", "durationSeconds"),
        (DelayConfig(31_536_001), "OUT_OF_RANGE", "durationSeconds"),
        (DelayConfig(5, reason="x" * 501), "OUT_OF_RANGE", "reason"),
        (DelayConfig(until="1 +"), "SYNTAX", "until"),
        (DelayConfig(until="input.nothing"), "UNKNOWN_VARIABLE", "until"),
    ],
    ids=str,
)
def test_rules_of_a_delay(config: DelayConfig, code: str, field: str) -> None:
    assert found(Step("a", config)) == [(code, f"steps.0.config.delay.{field}")]


@pytest.mark.parametrize(
    "config",
    [DelayConfig(1, reason="x" * 500), DelayConfig(31_536_000), DelayConfig(until="'2030'")],
    ids=str,
)
def test_good_delays(config: DelayConfig) -> None:
    assert found(Step("a", config)) == []


@pytest.mark.parametrize("field", ["then_step", "else_step"])
@pytest.mark.parametrize(
    ("target", "code"),
    [("nowhere", "UNKNOWN_STEP"), ("b", "BACKWARD_TARGET"), ("a", "BACKWARD_TARGET")],
)
def test_a_branch_leads_to_a_later_step(field: str, target: str, code: str) -> None:
    names = {"then_step": "thenStepName", "else_step": "elseStepName"}
    steps = (transform("a"), condition("b", **{field: target}), transform("c"))

    assert found(*steps) == [(code, f"steps.1.config.condition.{names[field]}")]


@pytest.mark.parametrize("target", [None, "b", "END"])
def test_a_branch_may_lead_on_or_to_the_end(target: str | None) -> None:
    steps = (Step("a", ConditionConfig("true", target, target)), transform("b"))

    assert found(*steps) == []


def test_a_transform_computes_something() -> None:
    assert found(Step("a", TransformConfig({}))) == [("REQUIRED", "steps.0.config.transform.set")]


@pytest.mark.parametrize(
    ("config", "code", "field"),
    [
        ({"content": None}, "REQUIRED", "content"),
        ({"prompt_id": "pr_1"}, "REQUIRED", "content"),
        ({"routing": ModelRouting(concurrency=0)}, "OUT_OF_RANGE", "routing.concurrency"),
        ({"routing": ModelRouting(concurrency=21)}, "OUT_OF_RANGE", "routing.concurrency"),
    ],
    ids=str,
)
def test_rules_of_a_prompt(config: dict[str, Any], code: str, field: str) -> None:
    assert found(asking(MODEL, **config)) == [(code, f"steps.0.config.prompt.{field}")]


@pytest.mark.parametrize("models", [(), (replace(MODEL, is_disabled=True),)])
def test_a_prompt_needs_a_model_to_ask(models: tuple[ModelTarget, ...]) -> None:
    assert found(asking(*models)) == [("REQUIRED", "steps.0.config.prompt.models")]


def test_a_prompt_asks_at_most_twenty_models() -> None:
    assert found(asking(*[MODEL] * 20)) == []
    assert found(asking(*[MODEL] * 21)) == [("TOO_MANY_MODELS", "steps.0.config.prompt.models")]


def test_a_model_has_a_name() -> None:
    nameless = replace(MODEL, model=" ")

    assert found(asking(MODEL, nameless)) == [("REQUIRED", "steps.0.config.prompt.models.1.model")]


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("temperature", 0, 2),
        ("topP", 0, 1),
        ("maxTokens", 1, 10_000_000),
        ("presencePenalty", -2, 2),
        ("frequencyPenalty", -2, 2),
    ],
)
def test_ranges_of_sampling_parameters(name: str, least: float, most: float) -> None:
    path = f"steps.0.config.prompt.models.0.parameters.{name}"

    for value in (least, most, None):
        assert found(asking(replace(MODEL, parameters={name: value}))) == []
    for value in (least - 0.1, most + 0.1):
        model = replace(MODEL, parameters={name: value})
        assert found(asking(model)) == [("OUT_OF_RANGE", path)]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"responseFormat": "JSON_SCHEMA"}, "REQUIRED"),
        ({"responseFormat": "JSON_OBJECT", "responseSchema": {}}, "NOT_APPLICABLE"),
        ({"responseSchema": {}}, "NOT_APPLICABLE"),
        ({"responseFormat": "JSON_SCHEMA", "responseSchema": {"type": 1}}, "INVALID_SCHEMA"),
        (
            {"responseFormat": "JSON_SCHEMA", "responseSchema": {"$ref": "https://a.example"}},
            "INVALID_SCHEMA",
        ),
    ],
)
def test_a_schema_for_answers_can_be_used(parameters: dict[str, Any], code: str) -> None:
    path = "steps.0.config.prompt.models.1.parameters.responseSchema"
    usable = {"responseFormat": "JSON_SCHEMA", "responseSchema": {"type": "object"}}
    models = [replace(MODEL, parameters=each) for each in (usable, parameters)]

    assert found(asking(*models)) == [(code, path)]


@pytest.mark.parametrize(
    ("step", "path"),
    [
        (replace(transform("a"), run_if="1 +"), "runIf"),
        (replace(transform("a"), inputs={"x": "1 +"}), "inputs.x"),
        (replace(transform("a"), outputs={"x": "1 +"}), "outputs.x"),
        (transform("a", x="1 +"), "config.transform.set.x"),
        (condition("a", "1 +"), "config.condition.condition"),
        (prompt("a", "{{ 1 + }}"), "config.prompt.content"),
        (asking(MODEL, instructions="{{"), "config.prompt.instructions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_text_is_parsed(step: Step, path: str) -> None:
    assert found(step) == [("SYNTAX", f"steps.0.{path}")]
