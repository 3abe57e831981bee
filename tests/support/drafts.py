"""Workflows for tests: small, valid, and different where a test says so."""

from __future__ import annotations

from typing import Any

from promptpilot.engine.definition import DataType, Step, Variable
from promptpilot.engine.drafts import WorkflowDraft
from promptpilot.engine.step_configs import (
    ConditionConfig,
    ModelProvider,
    ModelTarget,
    PromptConfig,
    TransformConfig,
)


def transform(name: str, id: str = "", **fields: str) -> Step:
    """Make a step that computes `fields`; one field if none is given."""
    return Step(name=name, id=id, config=TransformConfig(set=fields or {"value": "1 + 1"}))


def prompt(name: str, content: str = "Say hello.", prompt_id: str | None = None) -> Step:
    """Make a step that asks the simulator."""
    models = (ModelTarget(ModelProvider.SIMULATOR, "echo"),)
    text = None if prompt_id else content
    return Step(name=name, config=PromptConfig(models, content=text, prompt_id=prompt_id))


def condition(name: str, test: str = "true", **targets: str) -> Step:
    """Make a step that goes on at `then_step` or `else_step`."""
    return Step(name=name, config=ConditionConfig(test, **targets))


def variable(name: str, data_type: DataType = DataType.STRING, **others: Any) -> Variable:
    """Declare an input."""
    return Variable(name=name, data_type=data_type, **others)


def draft(*steps: Step, variables: tuple[Variable, ...] = (), **others: Any) -> WorkflowDraft:
    """Make the draft of a workflow called "Triage"."""
    return WorkflowDraft(**{"name": "Triage", "steps": steps, "variables": variables, **others})
