"""TRANSFORM: computes values from earlier ones, by expressions only."""

from __future__ import annotations

from typing import Any

from promptpilot.engine.expression import parse
from promptpilot.engine.step_configs import TransformConfig
from promptpilot.engine.steps.base import Done, StepContext, resolve_inputs, scope_with
from promptpilot.errors import StepFailed


class TransformStep:
    """Evaluates fields in order; a later one may read an earlier one as `output.<field>`."""

    async def run(self, context: StepContext) -> Done:
        """Return the fields. Raises `StepFailed` naming the field that could not be computed."""
        config = context.step.config
        assert isinstance(config, TransformConfig)  # noqa: S101 -- the registry pairs them
        inputs = resolve_inputs(context)
        scope = scope_with(context, inputs)
        output: dict[str, Any] = {}
        for name, text in config.set.items():
            output[name] = _compute(name, text, {**scope, "output": output}, context)
        return Done(output, input=inputs)


def _compute(name: str, text: str, scope: dict[str, Any], context: StepContext) -> Any:
    try:
        return parse(text).evaluate(scope, context.now)
    except StepFailed as failure:
        message = f"Field {name!r}: {failure.message}"
        raise StepFailed(message, failure.error_code, details=failure.details) from failure
