"""Proves where a stored prompt takes its values from, and that wrong ones are refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.prompt_rendering import rendered
from promptpilot.engine.prompt_texts import (
    PromptText,
    PromptVariable,
    PromptVariableType,
    Role,
    Turn,
)
from promptpilot.errors import StepFailed
from tests.engine.expression.cases import unhurried


def _content(prompt: PromptText, **scope: Any) -> str:
    return rendered(prompt, {"vars": {}, "input": {}, **scope}).content


def test_instructions_turns_and_content_are_filled_in() -> None:
    prompt = PromptText(
        "Now {{ b }}", instructions="Be {{a}}", turns=(Turn(Role.ASSISTANT, "{{a}}{{b}}"),)
    )

    filled = rendered(prompt, {"vars": {"a": "A"}, "input": {"b": 2}})

    assert (filled.instructions, filled.content) == ("Be A", "Now 2")
    assert filled.turns == (Turn(Role.ASSISTANT, "A2"),)


def test_a_prompt_without_instructions_has_none_filled_in() -> None:
    assert rendered(PromptText("x"), {}).instructions is None


def test_a_value_of_the_step_goes_before_an_input_and_an_input_before_the_default() -> None:
    prompt = PromptText("{{x}}", variables=(PromptVariable("x", default="default"),))

    assert _content(prompt, vars={"x": "own"}, input={"x": "input"}) == "own"
    assert _content(prompt, input={"x": "input"}) == "input"
    assert _content(prompt, vars={"x": None}) == "default"


def test_a_variable_that_need_not_be_given_is_empty() -> None:
    prompt = PromptText("<{{x}}>", variables=(PromptVariable("x", is_required=False),))

    assert _content(prompt) == "<>"


def test_a_variable_that_no_text_uses_is_not_asked_for() -> None:
    prompt = PromptText("{{x}}", variables=(PromptVariable("x"), PromptVariable("unused")))

    assert _content(prompt, vars={"x": 1}) == "1"


@pytest.mark.parametrize("declared", [(), (PromptVariable("tone"),)])
def test_a_required_variable_without_value_is_refused_by_name(
    declared: tuple[PromptVariable, ...],
) -> None:
    with pytest.raises(StepFailed, match="'tone' has no value") as refusal:
        _content(PromptText("{{tone}}", variables=declared))

    assert refusal.value.error_code == "TEMPLATE_UNRESOLVED"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (PromptVariableType.TEXT, ["a"]),
        (PromptVariableType.TEXT, {"a": 1}),
        (PromptVariableType.NUMBER, "1"),
        (PromptVariableType.NUMBER, True),
        (PromptVariableType.BOOLEAN, 1),
        (PromptVariableType.SELECT, "other"),
        (PromptVariableType.SELECT, ["formal"]),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(kind: PromptVariableType, value: Any) -> None:
    variable = PromptVariable("x", kind, options=("formal",))

    with pytest.raises(StepFailed, match="'x' must be") as refusal:
        _content(PromptText("{{x}}", variables=(variable,)), vars={"x": value})

    assert refusal.value.error_code == "INPUT_INVALID"
    assert refusal.value.details == {"variable": "x"}


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (PromptVariableType.TEXT, "a", "a"),
        (PromptVariableType.TEXT, 1.5, "1.5"),
        (PromptVariableType.NUMBER, 7, "7"),
        (PromptVariableType.BOOLEAN, False, "false"),
        (PromptVariableType.SELECT, "formal", "formal"),
    ],
)
def test_a_value_of_its_type_is_written(kind: PromptVariableType, value: Any, text: str) -> None:
    variable = PromptVariable("x", kind, options=("formal",))

    assert _content(PromptText("{{x}}", variables=(variable,)), input={"x": value}) == text


@unhurried
@given(st.text("{} \\xsecret", max_size=40))
def test_what_a_value_says_is_never_looked_at_again(value: str) -> None:
    prompt = PromptText("<{{x}}>")

    assert _content(prompt, vars={"x": value, "secret": "s3"}) == f"<{value}>"
