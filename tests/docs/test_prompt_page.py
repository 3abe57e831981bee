"""Proves that the page about prompts tells the truth, block by block."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.docs.pages import examples, read
from tests.docs.reader import Reader

pytestmark = pytest.mark.xdist_group("docs")


async def test_every_example_of_prompts_is_answered_as_its_page_says(reader: Reader) -> None:
    page = read("docs/PROMPTS.md")

    for block in examples(page, "graphql"):
        await reader.follow(block)

    answers: list[dict[str, Any]] = [each["data"] for each in reader.answers]
    compared, back, tried = answers[2], answers[3], answers[4]
    shown = [json.loads(block.text) for block in examples(page, "json")]
    assert [compared["comparePromptVersions"], tried["renderPrompt"]] == shown
    assert back["revertPrompt"]["prompt"]["currentVersion"]["version"] == "1.1.1"
    (step,) = answers[7]["execution"]["steps"]
    assert step["promptVersion"] == {"version": "1.1.1", "prompt": {"name": "Triage"}}
    assert step["input"]["content"] == "Title: It crashes\n\n"
    assert step["input"]["instructions"].endswith("in a warm tone.")
