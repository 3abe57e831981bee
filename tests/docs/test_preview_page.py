"""Proves that the page about previews tells the truth, block by block."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.docs.pages import examples, read
from tests.docs.reader import Reader

pytestmark = pytest.mark.xdist_group("docs")


async def test_every_preview_is_as_its_page_says(reader: Reader) -> None:
    page = read("docs/PREVIEW.md")

    for block in examples(page, "graphql"):
        await reader.follow(block)

    first, _, second, wrong, issues = (each["data"] for each in reader.answers)
    shown = [json.loads(block.text) for block in examples(page, "json")]
    assert [_timeless(first["previewWorkflow"]), second["previewWorkflow"]] == shown
    assert wrong["previewWorkflow"]["preview"] is None
    assert issues["workflow"]["issues"] == []


def _timeless(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload with words in the place of the instant of its delay."""
    payload["preview"]["steps"][1]["output"]["until"] = "(an hour from now)"
    return payload
