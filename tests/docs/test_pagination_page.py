"""Proves that the page about long lists, and the index of the API, show what a server answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.docs.pages import examples, read
from tests.docs.reader import Reader

pytestmark = pytest.mark.xdist_group("docs")


async def test_pages_come_as_the_page_about_them_says(reader: Reader) -> None:
    for block in examples(read("docs/api/pagination.md"), "graphql"):
        await reader.follow(block)
        _keep_cursors(reader, reader.answers[-1])

    first, after, before = [each["data"]["workflows"] for each in reader.answers[1:4]]
    assert [node["name"] for node in first["nodes"]] == ["Alpha", "Beta"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    assert [edge["node"]["name"] for edge in after["edges"]] == ["Gamma"]
    assert after["pageInfo"]["hasNextPage"] is False
    assert before["nodes"] == first["nodes"]


async def test_the_example_of_the_index_runs(reader: Reader) -> None:
    (block,) = examples(read("docs/api/README.md"), "graphql")

    await reader.follow(block)

    assert reader.answers[-1]["data"]["serverInfo"]["limits"]["maxPageSize"] == 100


def _keep_cursors(reader: Reader, answer: dict[str, Any]) -> None:
    """Let later examples go on from the page in an answer."""
    for connection in (answer["data"] or {}).values():
        cursors = connection.get("pageInfo", {}) if connection else {}
        known = {name: cursors[name] for name in ("endCursor", "startCursor") if cursors.get(name)}
        reader.variables |= known
