"""Proves what a prompt must be like before it is stored, and that every fault names its field."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.prompt_checks import MAX_TEXT_BYTES, completed
from promptpilot.engine.prompt_texts import (
    PromptText,
    PromptVariable,
    PromptVariableType,
    Role,
    Turn,
)
from promptpilot.errors import CallerError, InvalidMany, LimitExceeded, Required

SELECT = PromptVariableType.SELECT


def _fault(**fields: Any) -> CallerError:
    with pytest.raises(CallerError) as refusal:
        completed(PromptText(**{"content": "Hi", **fields}))
    return refusal.value


def _variable_fault(*args: Any, **fields: Any) -> CallerError:
    return _fault(variables=(PromptVariable(*args, **fields),))


def test_names_that_are_used_but_not_declared_become_required_texts() -> None:
    text = PromptText(
        "{{title}} {{body}}",
        instructions="Be {{tone}}",
        turns=(Turn(Role.USER, "{{ title }} and {{first}}"),),
        variables=(PromptVariable("title", PromptVariableType.NUMBER), PromptVariable("unused")),
    )

    made = completed(text).variables

    assert [each.name for each in made] == ["title", "unused", "tone", "first", "body"]
    assert made[2:] == (PromptVariable("tone"), PromptVariable("first"), PromptVariable("body"))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"content": " \n"}, ("input", "content")),
        ({"content": "nul\x00"}, ("input", "content")),
        ({"content": "half \ud800"}, ("input", "content")),
        ({"content": "{{ a"}, ("input", "content")),
        ({"content": "{{ steps.a.output }}"}, ("input", "content")),
        ({"content": "{{ input }}"}, ("input", "content")),
        ({"instructions": ""}, ("input", "instructions")),
        ({"instructions": "{{ upper(a) }}"}, ("input", "instructions")),
        ({"turns": (Turn(Role.USER, ""),)}, ("input", "turns", "0", "content")),
        ({"turns": (Turn(Role.USER, "{{}}"),)}, ("input", "turns", "0", "content")),
    ],
)
def test_a_text_that_cannot_be_is_refused(fields: dict[str, Any], path: tuple[str, ...]) -> None:
    assert _fault(**fields).path == path


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        (PromptVariable(""), "name"),
        (PromptVariable("two words"), "name"),
        (PromptVariable("a.b"), "name"),
        (PromptVariable("1"), "name"),
        (PromptVariable("true"), "name"),
        (PromptVariable("input"), "name"),
        (PromptVariable("a" * 65), "name"),
        (PromptVariable("a}}{{b"), "name"),
        (PromptVariable("a", description="\ud800"), "description"),
        (PromptVariable("a", SELECT), "options"),
        (PromptVariable("a", SELECT, options=("x", "x")), "options"),
        (PromptVariable("a", options=("x",)), "options"),
        (PromptVariable("a", PromptVariableType.NUMBER, default="1"), "defaultValue"),
        (PromptVariable("a", PromptVariableType.BOOLEAN, default=0), "defaultValue"),
        (PromptVariable("a", SELECT, options=("x",), default="y"), "defaultValue"),
        (PromptVariable("a", default={"x": 1}), "defaultValue"),
        (PromptVariable("a", default="\x00"), "defaultValue"),
    ],
)
def test_a_variable_that_cannot_be_is_refused(variable: PromptVariable, field: str) -> None:
    path = _fault(variables=(variable,)).path

    assert path[:4] == ("input", "variables", "0", field)


def test_an_option_must_be_a_line() -> None:
    fault = _variable_fault("a", SELECT, options=("x", " "))

    assert fault.path == ("input", "variables", "0", "options", "1")


def test_a_name_that_is_declared_twice_is_refused_at_both_places() -> None:
    fault = _fault(variables=(PromptVariable("a"), PromptVariable("a")))

    assert isinstance(fault, InvalidMany)
    assert [each.path[2] for each in fault.errors] == ["0", "1"]


def test_every_fault_is_told_at_once() -> None:
    fault = _fault(content="", instructions="", variables=(PromptVariable("1"),))

    assert isinstance(fault, InvalidMany)
    assert [each.path[1] for each in fault.errors] == ["content", "instructions", "variables"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"content": "é" * (MAX_TEXT_BYTES // 2 + 1)}, ("input", "content")),
        ({"turns": (Turn(Role.USER, "a"),) * 101}, ("input", "turns")),
        ({"turns": (Turn(Role.USER, "a" * MAX_TEXT_BYTES),) * 2}, ("input", "turns")),
        (
            {"variables": tuple(PromptVariable(f"v{n}") for n in range(101))},
            ("input", "variables"),
        ),
        ({"content": "".join(f"{{{{v{n}}}}}" for n in range(101))}, ("input", "variables")),
        (
            {"variables": (PromptVariable("a", SELECT, options=tuple(map(str, range(101)))),)},
            ("input", "variables", "0", "options"),
        ),
    ],
)
def test_more_than_the_limit_is_refused(fields: dict[str, Any], path: tuple[str, ...]) -> None:
    fault = _fault(**fields)

    assert isinstance(fault, LimitExceeded)
    assert fault.path == path


def test_the_largest_text_is_taken() -> None:
    assert completed(PromptText("a" * MAX_TEXT_BYTES)).content


def test_a_missing_content_is_required() -> None:
    assert isinstance(_fault(content=""), Required)
