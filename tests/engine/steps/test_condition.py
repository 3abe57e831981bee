"""Proves that a CONDITION says which branch is taken, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from promptpilot.engine.steps.condition import ConditionStep
from promptpilot.errors import StepFailed
from tests.support.contexts import context
from tests.support.drafts import condition


@pytest.mark.parametrize(("number", "branch"), [(2, "then"), (1, "else")])
async def test_the_branch_depends_on_the_condition(number: int, branch: str) -> None:
    done = await ConditionStep().run(context(condition("a", "input.n > 1"), n=number))

    assert done.output == {"branch": branch}


async def test_the_condition_reads_the_steps_own_inputs() -> None:
    step = replace(condition("a", "vars.i"), inputs={"i": "input.n == 1"})

    done = await ConditionStep().run(context(step, n=1))

    assert (done.output, done.input) == ({"branch": "then"}, {"i": True})


@pytest.mark.parametrize(
    ("test", "code"), [("1", "EXPRESSION_TYPE"), ("input.nope", "EXPRESSION_ERROR")]
)
async def test_what_is_neither_true_nor_false_fails(test: str, code: str) -> None:
    with pytest.raises(StepFailed) as failure:
        await ConditionStep().run(context(condition("a", test)))

    assert failure.value.error_code == code
