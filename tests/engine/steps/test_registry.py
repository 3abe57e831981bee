"""Proves that the registries pair types with what does their work."""

from __future__ import annotations

from promptpilot.engine.providers.registry import PROVIDERS
from promptpilot.engine.providers.simulator import Simulator
from promptpilot.engine.step_configs import ModelProvider, StepType
from promptpilot.engine.steps.condition import ConditionStep
from promptpilot.engine.steps.decision import DecisionStep
from promptpilot.engine.steps.delay import DelayStep
from promptpilot.engine.steps.prompt import PromptStep
from promptpilot.engine.steps.registry import EXECUTORS
from promptpilot.engine.steps.transform import TransformStep
from promptpilot.engine.steps.webhook import WebhookStep


def test_every_type_that_can_be_configured_has_its_executor() -> None:
    assert {kind: each.__class__ for kind, each in EXECUTORS.items()} == {
        StepType.CONDITION: ConditionStep,
        StepType.DECISION: DecisionStep,
        StepType.DELAY: DelayStep,
        StepType.PROMPT: PromptStep,
        StepType.TRANSFORM: TransformStep,
        StepType.WEBHOOK: WebhookStep,
    }
    assert set(EXECUTORS) == set(StepType)


def test_the_simulator_is_always_there() -> None:
    assert isinstance(PROVIDERS[ModelProvider.SIMULATOR], Simulator)
