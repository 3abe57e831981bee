"""Which executor does which type of step."""

from __future__ import annotations

from collections.abc import Mapping

from promptpilot.engine.step_configs import StepType
from promptpilot.engine.steps.base import StepExecutor
from promptpilot.engine.steps.condition import ConditionStep
from promptpilot.engine.steps.decision import DecisionStep
from promptpilot.engine.steps.delay import DelayStep
from promptpilot.engine.steps.prompt import PromptStep
from promptpilot.engine.steps.transform import TransformStep
from promptpilot.engine.steps.webhook import WebhookStep

EXECUTORS: Mapping[StepType, StepExecutor] = {
    StepType.CONDITION: ConditionStep(),
    StepType.DECISION: DecisionStep(),
    StepType.DELAY: DelayStep(),
    StepType.PROMPT: PromptStep(),
    StepType.TRANSFORM: TransformStep(),
    StepType.WEBHOOK: WebhookStep(),
}
