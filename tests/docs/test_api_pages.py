"""Proves that the pages about GraphQL itself show requests that a server answers as they say."""

from __future__ import annotations

import json

import pytest

from tests.docs.pages import examples, read
from tests.docs.reader import Reader


@pytest.mark.parametrize("page", ["transport", "limits", "errors"])
@pytest.mark.xdist_group("docs")
async def test_the_examples_of_a_page_run(page: str, reader: Reader) -> None:
    for block in examples(read(f"docs/api/{page}.md"), "graphql", "curl"):
        await reader.follow(block)


@pytest.mark.xdist_group("docs")
async def test_the_cost_is_the_one_that_the_page_shows(reader: Reader) -> None:
    page = read("docs/api/limits.md")
    (shown,) = examples(page, "json")

    await reader.follow(examples(page, "curl")[0])

    assert reader.answers[-1]["extensions"]["cost"] == json.loads(shown.text)
