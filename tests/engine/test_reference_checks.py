"""Proves that a text can only read what is sure to be there when it is evaluated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.definition import Definition, Step, Variable
from promptpilot.engine.step_checks import check_steps
from tests.support.drafts import condition, prompt, transform, variable


def found(*steps: Step, variables: tuple[Variable, ...] = ()) -> list[tuple[str, str]]:
    """Return code and path of each fault."""
    faults = check_steps(Definition(steps, variables))
    return [(fault.code, ".".join(fault.path)) for fault in faults]


def reading(text: str) -> Step:
    """Make a step that reads."""
    return transform("b", x=text)


PATH = "steps.1.config.transform.set.x"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("steps.c.output", "UNKNOWN_STEP"),
        ("steps.b.output", "FORWARD_REFERENCE"),
        ("steps.a.value", "UNKNOWN_FIELD"),
        ("input.nope", "UNKNOWN_VARIABLE"),
        ("vars.nope", "UNKNOWN_VARIABLE"),
        ("variables.nope", "UNKNOWN_VARIABLE"),
        ("nope", "UNKNOWN_VARIABLE"),
        ("trigger.nope", "UNKNOWN_FIELD"),
        ("execution.nope", "UNKNOWN_FIELD"),
        ("workflow.nope", "UNKNOWN_FIELD"),
    ],
)
def test_what_does_not_exist_cannot_be_read(text: str, code: str) -> None:
    assert found(transform("a"), reading(text)) == [(code, PATH)]


@pytest.mark.parametrize(
    "text",
    [
        "steps.a.output.value",
        "steps.a.status",
        "steps.a.error",
        "steps",
        "input",
        "input.title",
        "vars",
        "previous",
        "previous.anything",
        "trigger",
        "trigger.payload.a.b",
        "execution.id",
        "workflow.revision",
        "now",
        "[1].map(i, i)",
        "output",
    ],
)
def test_what_exists_can_be_read(text: str) -> None:
    assert found(transform("a"), reading(text), variables=(variable("title"),)) == []


def test_a_later_step_cannot_be_read() -> None:
    steps = (reading("steps.a.output"), transform("a"))

    assert found(*steps) == [("FORWARD_REFERENCE", PATH.replace("1", "0"))]


@pytest.mark.parametrize("change", [{"run_if": "true"}, {"continue_on_error": True}], ids=str)
@pytest.mark.parametrize("text", ["steps.a.output", "vars.v"])
def test_what_may_be_absent_is_read_with_a_default(change: dict[str, Any], text: str) -> None:
    source = replace(transform("a"), outputs={"v": "1"}, **change)

    assert found(source, reading(text)) == [("MAYBE_SKIPPED", PATH)]
    assert found(source, reading(f"default({text}, 1)")) == []


def test_what_a_branch_goes_past_may_be_absent() -> None:
    choice = condition("a", then_step="c")
    passed = transform("b")

    assert found(choice, passed, transform("c", x="steps.b.output.value")) == [
        ("MAYBE_SKIPPED", "steps.2.config.transform.set.x")
    ]


def test_outputs_of_a_branch_may_read_the_branch() -> None:
    choice = condition("a", then_step="d")
    last = replace(transform("c"), outputs={"v": "steps.b.output.value"})

    assert found(choice, transform("b"), last, transform("d")) == []


def test_outputs_may_read_the_steps_own_result() -> None:
    step = replace(transform("a"), run_if="true", outputs={"v": "steps.a.output.value + output.x"})

    assert found(step) == []


def test_outputs_read_variables_from_before_the_step() -> None:
    step = replace(transform("a"), outputs={"v": "vars.v"})

    assert found(step) == [("UNKNOWN_VARIABLE", "steps.0.outputs.v")]


def test_the_configuration_may_read_the_steps_own_inputs() -> None:
    step = replace(transform("a", x="vars.i"), inputs={"i": "1"})

    assert found(step) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"run_if": "vars.i"}, "runIf"),
        ({"outputs": {"v": "vars.i"}}, "outputs.v"),
        ({"inputs": {"i": "1", "j": "vars.i"}}, "inputs.j"),
    ],
    ids=str,
)
def test_nothing_else_may_read_the_steps_own_inputs(change: dict[str, Any], path: str) -> None:
    step = replace(transform("a"), **{"inputs": {"i": "1"}, **change})

    assert found(step) == [("UNKNOWN_VARIABLE", f"steps.0.{path}")]


def test_a_bare_name_is_an_input_a_variable_or_the_steps_own_input() -> None:
    setter = replace(transform("a"), outputs={"v": "1"})
    asking = replace(prompt("b", "{{ title }} {{ v }} {{ i }}"), inputs={"i": "1"})

    assert found(setter, asking, variables=(variable("title"),)) == []
    assert found(prompt("b", "{{ title }}")) == [
        ("UNKNOWN_VARIABLE", "steps.0.config.prompt.content")
    ]


def test_a_message_says_the_way_out() -> None:
    (fault,) = check_steps(Definition((transform("a"), reading("steps.a.value"))))

    assert "Did you mean steps.a.output.value?" in fault.message
