"""Proves that every example of the pages runs, in order, against a server as a reader starts it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.docs.pages import examples, read
from tests.docs.reader import Reader


@pytest.mark.parametrize("page", ["docs/WORKFLOW_ENGINE.md", "docs/TUTORIAL.md"])
@pytest.mark.xdist_group("docs")
async def test_the_examples_of_a_page_run(page: str, reader: Reader) -> None:
    blocks = examples(read(page), "graphql", "curl", "sh")

    for block in blocks:
        await reader.follow(block)

    results = [each["data"]["execution"] for each in reader.answers if _is_result(each)]
    assert [each["status"] for each in results] == ["COMPLETED"]
    assert all(step["status"] == "COMPLETED" for step in results[0]["steps"])


@pytest.mark.parametrize("kind", ["condition", "decision", "delay", "prompt", "transform"])
@pytest.mark.xdist_group("docs")
async def test_the_example_of_a_type_of_step_ends_as_its_page_says(
    kind: str, reader: Reader
) -> None:
    page = read(f"docs/steps/{kind}.md")

    for block in examples(page, "graphql"):
        await reader.follow(block)

    (shown,) = examples(page, "json")
    results = [each["data"]["execution"] for each in reader.answers if _is_result(each)]
    assert results[-1] == json.loads(shown.text)


def _is_result(answer: Any) -> bool:
    """Whether an answer is that of a query for one execution."""
    return isinstance(answer, dict) and "execution" in (answer.get("data") or {})
