"""Proves which choice a DECISION takes, and what it says about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.definition import Step
from promptpilot.engine.lifecycle import WaitReason
from promptpilot.engine.step_configs import Choice, DecisionConfig, DecisionMode
from promptpilot.engine.steps.base import Answer, Done, Waiting
from promptpilot.engine.steps.decision import DecisionStep
from promptpilot.errors import StepFailed
from tests.support.clock import BEGINNING
from tests.support.contexts import context

RULES = DecisionConfig(
    DecisionMode.RULES, (Choice("big", "input.n > 9"), Choice("more", "input.n > 1"), Choice("few"))
)
MANUAL = DecisionConfig(
    DecisionMode.MANUAL, (Choice("yes"), Choice("no")), question="Ship {{ input.what }}?"
)
SHOWN = {"question": "Ship it?", "choices": ["yes", "no"], "defaultChoice": None}


async def decided(config: DecisionConfig, **input: Any) -> Done:
    """Decide at once."""
    result = await DecisionStep().run(context(Step("a", config), **input))
    assert isinstance(result, Done)
    return result


def output(choice: str, how: str, **others: Any) -> dict[str, Any]:
    """Make what a decision says."""
    return {"choice": choice, "how": how, "decidedBy": None, "comment": None, **others}


@pytest.mark.parametrize(
    ("number", "expected"),
    [(10, output("big", "RULE")), (2, output("more", "RULE")), (1, output("few", "DEFAULT"))],
    ids=str,
)
async def test_the_first_choice_whose_condition_is_true_is_taken(
    number: int, expected: dict[str, Any]
) -> None:
    done = await decided(replace(RULES, default_choice="few"), n=number)

    assert done.output == expected


async def test_a_decision_shows_what_there_was_to_choose() -> None:
    done = await decided(replace(RULES, default_choice="few"), n=1)

    assert done.input == {
        "question": None, "choices": ["big", "more", "few"], "defaultChoice": "few"
    }  # fmt: skip


async def test_conditions_after_the_choice_are_not_evaluated() -> None:
    choices = (Choice("yes", "true"), Choice("no", "input.nope"))

    done = await decided(replace(RULES, choices=choices))

    assert done.output == output("yes", "RULE")


async def test_without_a_default_nothing_may_be_left_undecided() -> None:
    with pytest.raises(StepFailed, match="defaultChoice") as failure:
        await decided(RULES, n=1)

    assert failure.value.error_code == "DECISION_UNDECIDED"
    assert not failure.value.is_retryable


@pytest.mark.parametrize(
    ("number", "code"), [("x", "EXPRESSION_ERROR"), (None, "EXPRESSION_ERROR")]
)
async def test_a_condition_that_fails_is_named(number: Any, code: str) -> None:
    with pytest.raises(StepFailed, match=r"^Choice 'big': ") as failure:
        await decided(RULES, n=number)

    assert failure.value.error_code == code


async def test_a_condition_is_true_or_false() -> None:
    with pytest.raises(StepFailed) as failure:
        await decided(replace(RULES, choices=(Choice("a", "1"), Choice("b", "true"))))

    assert failure.value.error_code == "EXPRESSION_TYPE"


async def test_conditions_read_the_steps_own_inputs() -> None:
    config = replace(RULES, choices=(Choice("a", "vars.i"), Choice("b", "true")))
    step = Step("a", config, inputs={"i": "input.n == 1"})

    done = await DecisionStep().run(context(step, n=1))

    assert isinstance(done, Done)
    assert (done.output["choice"], done.input["i"]) == ("a", True)


@pytest.mark.parametrize(
    ("seconds", "until"), [(None, None), (60, BEGINNING + timedelta(minutes=1))]
)
async def test_a_manual_decision_waits_for_a_person(seconds: int | None, until: Any) -> None:
    step = Step("a", replace(MANUAL, decision_timeout_seconds=seconds))

    result = await DecisionStep().run(context(step, what="it"))

    assert result == Waiting(WaitReason.DECISION, until, input=SHOWN)


async def test_a_question_that_cannot_be_rendered_fails_before_anybody_is_asked() -> None:
    with pytest.raises(StepFailed) as failure:
        await DecisionStep().run(context(Step("a", MANUAL)))

    assert failure.value.error_code == "TEMPLATE_UNRESOLVED"


@pytest.mark.parametrize("comment", [None, "Looks good."])
def test_a_persons_answer_is_the_choice(comment: str | None) -> None:
    answer = Answer("no", comment, "us_1", BEGINNING)

    done = DecisionStep().resume(context(Step("a", MANUAL), what="it"), answer)

    assert done.output == output("no", "PERSON", decidedBy="us_1", comment=comment)
    assert done.input == SHOWN


def test_when_time_is_up_the_default_is_taken() -> None:
    step = Step("a", replace(MANUAL, default_choice="no"))

    done = DecisionStep().resume(context(step, what="it"), None)

    assert done.output == output("no", "TIMEOUT")


def test_when_time_is_up_without_a_default_the_step_fails() -> None:
    with pytest.raises(StepFailed, match="defaultChoice") as failure:
        DecisionStep().resume(context(Step("a", MANUAL), what="it"), None)

    assert failure.value.error_code == "DECISION_TIMEOUT"
    assert not failure.value.is_retryable
