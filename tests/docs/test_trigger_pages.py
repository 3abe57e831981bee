"""Proves that the pages about triggers and REST tell the truth, block by block."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.docs.conftest import Started
from tests.docs.pages import examples, read
from tests.docs.reader import Reader, SocketReader

pytestmark = pytest.mark.xdist_group("docs")


async def _follow(page: str, reader: Reader) -> list[Any]:
    """Run every example of a page; return what was answered."""
    for block in examples(read(page), "graphql", "curl", "sh"):
        await reader.follow(block)
    return reader.answers


@pytest.mark.parametrize("kind", [Reader, SocketReader], ids=["http", "socket"])
async def test_every_type_of_trigger_lives_as_its_page_says(
    kind: type[Reader], started: Started
) -> None:
    reader = kind(started.url)
    await reader.sign_up()

    answers = await _follow("docs/TRIGGERS.md", reader)

    outcomes = [firing["outcome"] for answer in answers for firing in _firings(answer)]
    assert outcomes == ["STARTED", "STARTED", "FILTERED", "STARTED"]


async def test_a_preview_over_the_change_of_clocks_is_right(reader: Reader) -> None:
    (preview,) = [
        each
        for each in examples(read("docs/TRIGGERS.md"), "graphql")
        if "previewSchedule" in each.text
    ]

    await reader.follow(preview)

    times = [f"2026-11-0{day}T0{hour}:30:00Z" for day, hour in ((1, 5), (2, 6), (3, 6))]
    assert reader.answers[-1]["data"]["previewSchedule"] == times


async def test_everything_over_rest_is_answered_as_its_page_says(reader: Reader) -> None:
    answers = await _follow("docs/REST.md", reader)

    *_, dispatched, execution, events, output = answers
    assert dispatched["count"] == 1
    assert execution["input"] == {"name": "Linus"}
    assert events[-1]["toStatus"] == "COMPLETED"
    assert output == {"text": "Hello Linus"}


def test_the_shape_of_errors_is_the_one_of_the_description() -> None:
    (shown,) = examples(read("docs/REST.md"), "json")
    described = json.loads(read("docs/openapi.json"))["components"]["schemas"]["Problem"]

    error = described["properties"]["error"]
    assert set(json.loads(shown.text)["error"]) == set(error["properties"])


def _firings(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the firings that a query for a trigger was answered with."""
    trigger = (answer.get("data") or {}).get("trigger") or {}
    found: list[dict[str, Any]] = trigger.get("firings", {}).get("nodes", [])
    return found
