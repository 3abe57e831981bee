"""Proves that calls which are signed as the page about webhooks says start what it says."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from promptpilot.engine.triggers.signatures import SCHEMES
from tests.docs.pages import examples, read
from tests.docs.reader import Reader

PAGE = "docs/WEBHOOKS.md"
pytestmark = pytest.mark.xdist_group("docs")


@pytest.fixture
async def answers(reader: Reader) -> list[Any]:
    """Give what the server answered to each call of the page."""
    heard = []
    for block in examples(read(PAGE), "graphql", "sh"):
        if block.language == "sh":
            heard.append(await run(block.text, reader.shell))
        else:
            await reader.follow(block)
    return heard


async def run(script: str, variables: dict[str, str]) -> Any:
    """Do what a script says, as a shell does, and return the JSON that it prints."""
    child = await asyncio.create_subprocess_exec(
        "sh", "-euc", script, env={**os.environ, **variables}, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 0
    return json.loads(printed)


def test_every_scheme_has_its_example() -> None:
    scripts = examples(read(PAGE), "sh")

    assert len(scripts) == len(SCHEMES)
    assert all(f"\n## {scheme}\n" in read(PAGE) for scheme in SCHEMES)


async def test_every_example_starts_an_execution(answers: list[Any]) -> None:
    assert [answer.get("duplicate") for answer in answers] == [False] * len(SCHEMES), answers
    assert len({answer["executionId"] for answer in answers}) == len(SCHEMES)


async def test_the_firing_is_the_one_that_the_page_shows(
    answers: list[Any], reader: Reader
) -> None:
    (shown,) = examples(read(PAGE), "json")

    found = reader.answers[-1]["data"]["trigger"]["firings"]["nodes"]

    assert found == json.loads(shown.text)
