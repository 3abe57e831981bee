"""Proves that a TRANSFORM computes its fields in order and names the one that fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptpilot.engine.steps.transform import TransformStep
from promptpilot.errors import StepFailed
from tests.support.contexts import context
from tests.support.drafts import transform


async def test_later_fields_read_earlier_ones() -> None:
    step = transform("a", x="input.n", y="output.x * 2", z="output.x + output.y")

    done = await TransformStep().run(context(step, n=1))

    assert done.output == {"x": 1, "y": 2, "z": 3}
    assert list(done.output) == ["x", "y", "z"]


async def test_fields_read_the_steps_own_inputs() -> None:
    step = replace(transform("a", x="vars.i + 1"), inputs={"i": "input.n"})

    done = await TransformStep().run(context(step, n=1))

    assert (done.output, done.input) == ({"x": 2}, {"i": 1})


async def test_the_field_that_cannot_be_computed_is_named() -> None:
    step = transform("a", x="1", y="output.nope")

    with pytest.raises(StepFailed, match=r"^Field 'y': ") as failure:
        await TransformStep().run(context(step))

    assert not failure.value.is_retryable


async def test_the_same_attempt_computes_the_same() -> None:
    given = context(transform("a", x="now"))

    first, second = [await TransformStep().run(given) for _ in range(2)]

    assert first == second
