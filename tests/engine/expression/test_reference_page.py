"""Proves that the reference page for users is true and complete."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from promptpilot.engine.expression.calls import COMPREHENSIONS
from promptpilot.engine.expression.functions import FUNCTIONS
from promptpilot.engine.template import ROOTS
from tests.engine.expression.cases import value_of

_PAGE: Final = (Path(__file__).parents[3] / "docs" / "EXPRESSIONS.md").read_text("utf-8")
_ROWS: Final = re.findall(r"^\| `(.+)` \| `(.+)` \|$", _PAGE, re.MULTILINE)
_SCOPE: Final[dict[str, Any]] = {
    "input": {
        "title": "Crash on save",
        "odd key": 7,
        "votes": 5,
        "labels": [{"name": "bug", "size": 1}, {"name": "ui", "size": 2}],
    },
    "payload": {"issue": {"number": 42}},
    "steps": {"draft": {"output": {"text": "hi"}}},
}


@pytest.mark.parametrize(("source", "value"), _ROWS)
def test_every_row_of_the_page_is_true(source: str, value: str) -> None:
    assert value_of(source, _SCOPE) == json.loads(value)


def test_the_page_has_an_example_of_every_function_and_macro() -> None:
    examples = " ".join(source for source, _ in _ROWS)

    missing = [name for name in (*FUNCTIONS, *COMPREHENSIONS) if f"{name}(" not in examples]

    assert missing == []


def test_the_page_names_every_root() -> None:
    assert [root for root in sorted(ROOTS) if f"`{root}`" not in _PAGE] == []
