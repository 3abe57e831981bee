"""Proves that a comparison tells every difference between two versions and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.prompt_diff import changes, unified_diff
from promptpilot.engine.prompt_texts import (
    PromptText,
    PromptVariable,
    PromptVariableType,
    Role,
    Turn,
)

BASE = PromptText("Hi {{name}}", variables=(PromptVariable("name"),))


def _changes(**others: Any) -> list[tuple[str, Any, Any]]:
    fields = {"content": BASE.content, "variables": BASE.variables, **others}
    return [(each.field, each.old, each.new) for each in changes(BASE, PromptText(**fields))]


@pytest.mark.parametrize(
    ("others", "field", "old", "new"),
    [
        ({"content": "Hello"}, "content", "Hi {{name}}", "Hello"),
        ({"instructions": "Be brief."}, "instructions", None, "Be brief."),
        (
            {"turns": (Turn(Role.USER, "Hi"),)},
            "turns",
            [],
            [{"role": "USER", "content": "Hi"}],
        ),
        (
            {"variables": (PromptVariable("name", PromptVariableType.NUMBER),)},
            "variables.name.type",
            "TEXT",
            "NUMBER",
        ),
        (
            {"variables": (PromptVariable("name", default="Ada"),)},
            "variables.name.defaultValue",
            None,
            "Ada",
        ),
        (
            {"variables": (PromptVariable("name", is_required=False),)},
            "variables.name.isRequired",
            True,
            False,
        ),
    ],
)
def test_a_field_that_differs_is_told(
    others: dict[str, Any], field: str, old: Any, new: Any
) -> None:
    assert _changes(**others) == [(field, old, new)]


def test_a_variable_that_was_added_or_removed_is_told_whole() -> None:
    ((removed, old, nothing), (added, none, new)) = _changes(variables=(PromptVariable("tone"),))

    assert (removed, added) == ("variables.name", "variables.tone")
    assert (nothing, none) == (None, None)
    assert (
        old
        == new
        == {
            "type": "TEXT",
            "description": None,
            "isRequired": True,
            "defaultValue": None,
            "options": [],
        }
    )


def test_another_order_of_variables_is_told() -> None:
    one, other = PromptVariable("a"), PromptVariable("b")
    base, head = PromptText("x", variables=(one, other)), PromptText("x", variables=(other, one))

    (change,) = changes(base, head)

    assert (change.field, change.old, change.new) == ("variables", ["a", "b"], ["b", "a"])


def test_equal_versions_have_no_differences() -> None:
    assert _changes() == []
    assert not unified_diff("a\nb", "a\nb", "1.0.0", "1.0.1")


def test_a_text_is_compared_line_by_line() -> None:
    diff = unified_diff("one\ntwo\nthree", "one\n2\nthree", "1.0.0", "1.0.1")

    assert diff.splitlines() == [
        "--- 1.0.0",
        "+++ 1.0.1",
        "@@ -1,3 +1,3 @@",
        " one",
        "-two",
        "+2",
        " three",
    ]


@given(st.integers(1001, 1200))
def test_texts_of_very_many_lines_are_one_replacement(count: int) -> None:
    old, new = "\n".join(["a"] * count), "\n".join(["b"] * count)

    lines = unified_diff(old, new, "1.0.0", "2.0.0").splitlines()

    assert lines[:3] == ["--- 1.0.0", "+++ 2.0.0", f"@@ -1,{count} +1,{count} @@"]
    assert lines[3:] == ["-a"] * count + ["+b"] * count


@pytest.mark.parametrize("count", [400, 5000])
def test_texts_of_few_lines_that_repeat_are_one_replacement(count: int) -> None:
    old, new = ["x", "y"] * (count // 2), ["x"] * 99 + ["y"] * 99

    lines = unified_diff("\n".join(old), "\n".join(new), "1.0.0", "2.0.0").splitlines()

    assert lines[2] == f"@@ -1,{count} +1,198 @@"
    assert len(lines) == 3 + count + 198


@pytest.mark.parametrize("count", [50, 300])
def test_a_text_with_many_blank_lines_is_compared_line_by_line(count: int) -> None:
    old = [line for number in range(count) for line in (f"Line {number}.", "")]
    new = [*old[:20], "Another line.", *old[20:]]

    lines = unified_diff("\n".join(old), "\n".join(new), "1.0.0", "1.0.1").splitlines()

    assert [line for line in lines[3:] if line[0] != " "] == ["+Another line."]
