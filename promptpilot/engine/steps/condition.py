"""CONDITION: goes on at one of two later steps."""

from __future__ import annotations

from promptpilot.engine.expression import evaluate_boolean, parse
from promptpilot.engine.step_configs import ConditionConfig
from promptpilot.engine.steps.base import Done, StepContext, resolve_inputs, scope_with


class ConditionStep:
    """Evaluates a boolean; the plan reads the branch from the output."""

    async def run(self, context: StepContext) -> Done:
        """Return `{"branch": "then" | "else"}`. Raises `StepFailed` (EXPRESSION_TYPE, …)."""
        config = context.step.config
        assert isinstance(config, ConditionConfig)  # noqa: S101 -- the registry pairs them
        inputs = resolve_inputs(context)
        scope = scope_with(context, inputs)
        is_true = evaluate_boolean(parse(config.condition), scope, context.now)
        return Done({"branch": "then" if is_true else "else"}, input=inputs)
