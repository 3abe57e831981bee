"""Proves how the inputs of a step are computed, and what its texts see of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptpilot.engine.scope import Progress
from promptpilot.engine.steps.base import ModelsFailed, resolve_inputs, scope_with
from promptpilot.errors import StepFailed
from tests.support.contexts import context
from tests.support.drafts import transform


def test_inputs_are_computed_from_the_scope() -> None:
    step = replace(transform("a"), inputs={"x": "input.n + 1", "y": "now"})

    assert resolve_inputs(context(step, n=1)) == {"x": 2, "y": "2026-09-01T12:00:30.000000Z"}


def test_a_failure_names_the_input() -> None:
    step = replace(transform("a"), inputs={"x": "input.missing"})

    with pytest.raises(StepFailed, match=r"^Input 'x': ") as failure:
        resolve_inputs(context(step))

    assert failure.value.error_code == "EXPRESSION_ERROR"


def test_the_steps_own_inputs_go_before_the_workflows_values() -> None:
    given = context(transform("a"), progress=Progress({}, vars={"x": 1, "y": 2}))

    scope = scope_with(given, {"x": 3})

    assert scope["vars"] == scope["variables"] == {"x": 3, "y": 2}
    assert given.scope["vars"] == {"x": 1, "y": 2}


def test_failed_models_keep_the_failure_and_the_calls() -> None:
    first = StepFailed("No.", "NETWORK", is_retryable=True, details={"a": 1})

    failure = ModelsFailed(first, [{"model": "m"}])

    assert (failure.error_code, failure.is_retryable) == ("NETWORK", True)
    assert (failure.details, failure.model_calls) == ({"a": 1}, ({"model": "m"},))
