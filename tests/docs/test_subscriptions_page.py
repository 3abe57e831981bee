"""Proves that the page about live feeds tells the truth, block by block."""

from __future__ import annotations

import pytest
from graphql import parse, validate

from promptpilot.schema import schema
from tests.docs.pages import Example, examples, read
from tests.docs.reader import Reader

BLOCKS = examples(read("docs/api/subscriptions.md"), "graphql")


def _is_endless(block: Example) -> bool:
    return "executionFeed" in block.text and not block.expected


@pytest.mark.xdist_group("docs")
async def test_what_the_page_shows_is_sent_and_answered(reader: Reader) -> None:
    for block in BLOCKS:
        if not _is_endless(block):
            await reader.follow(block)

    made, started, watched, read_first, _ = reader.answers
    told = [each["data"]["executionEvents"] for each in watched]
    assert made["data"]["createWorkflow"]["errors"] == []
    assert started["data"]["startExecution"]["errors"] == []
    assert [each["sequence"] for each in told] == list(range(1, len(told) + 1))
    assert read_first["data"]["execution"]["eventCursor"] == told[-1]["cursor"]


def test_a_feed_that_never_completes_is_one_of_the_schema() -> None:
    (feed,) = [block for block in BLOCKS if _is_endless(block)]

    assert validate(schema._schema, parse(feed.text)) == []
