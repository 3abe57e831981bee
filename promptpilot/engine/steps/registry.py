"""Which executor does which type of step."""

from __future__ import annotations

from collections.abc import Mapping

from promptpilot.engine.definition import StepType
from promptpilot.engine.steps.base import StepExecutor
from promptpilot.engine.steps.condition import ConditionStep
from promptpilot.engine.steps.prompt import PromptStep
from promptpilot.engine.steps.transform import TransformStep

EXECUTORS: Mapping[StepType, StepExecutor] = {
    StepType.CONDITION: ConditionStep(),
    StepType.PROMPT: PromptStep(),
    StepType.TRANSFORM: TransformStep(),
}
