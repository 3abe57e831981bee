"""Proves that workflows are searched, filtered, sorted and paged alike on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.models import Execution
from tests.schema.api import Api
from tests.schema.rows import execution_row
from tests.support.clock import ManualClock

LIST = """
query ($w: WorkflowFilter, $o: WorkflowOrder, $first: Int, $after: String) {
  workflows(where: $w, orderBy: $o, first: $first, after: $after) {
    nodes { name } edges { cursor } totalCount pageInfo { hasNextPage endCursor }
  }
}
"""
WORKFLOWS: list[dict[str, Any]] = [
    {"name": "alpha", "description": "100% sure", "tags": ["x", 'a "quoted" one']},
    {"name": "beta", "description": "Under_score", "tags": ["x", "y"], "isActive": False},
    {"name": "gamma", "description": "back\\slash", "tags": [",", "y"]},
]


@pytest.fixture
async def made(api: Api, clock: ManualClock) -> dict[str, str]:
    """Give the workflows: name -> id, each a second older than the next."""
    found = {}
    for each in WORKFLOWS:
        payload = await api.mutate("createWorkflow", each, "workflow { id } errors { message }")
        found[each["name"]] = payload["workflow"]["id"]
        clock.move(seconds=1)
    return found


async def _names(api: Api, **variables: Any) -> list[str]:
    found = await api.run(LIST, **variables)
    assert found["workflows"]["totalCount"] == len(found["workflows"]["nodes"])
    return [node["name"] for node in found["workflows"]["nodes"]]


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "alpha beta gamma"),
    ({"search": "ALPH"}, "alpha"),
    ({"search": "sure 100"}, "alpha"),
    ({"search": "%"}, "alpha"),
    ({"search": "_"}, "beta"),
    ({"search": "\\"}, "gamma"),
    ({"search": "alpha beta"}, ""),
    ({"search": "\u0000"}, ""),
    ({"search": "  "}, "alpha beta gamma"),
    ({"tags": ["x"]}, "alpha beta"),
    ({"tags": ["y", "x", "y"]}, "beta"),
    ({"tags": [","]}, "gamma"),
    ({"tags": ['a "quoted" one']}, "alpha"),
    ({"tags": ["quoted"]}, ""),
    ({"tags": ["\u0000"]}, ""),
    ({"tags": []}, "alpha beta gamma"),
    ({"isActive": False}, "beta"),
    ({"ids": ["nonsense"]}, ""),
    ({"createdAt": {"from": "2026-09-01T12:00:31Z"}}, "beta gamma"),
    ({"createdAt": {"until": "2026-09-01T12:00:31Z"}}, "alpha"),
]


async def test_a_filter_lets_through_what_fulfils_it(api: Api, made: dict[str, str]) -> None:
    order = {"field": "NAME", "direction": "ASC"}

    found = [(where, " ".join(await _names(api, w=where, o=order))) for where, _ in FILTERS]

    assert found == FILTERS


async def test_a_search_for_too_many_words_is_refused(api: Api) -> None:
    refused = await api.refused(LIST, w={"search": "a " * 1000})

    assert refused.message == "search may have at most 200 characters."


async def test_no_workflow_has_more_tags_than_one_may_have(api: Api, made: dict[str, str]) -> None:
    assert await _names(api, w={"tags": [f"tag {number}" for number in range(2000)]}) == []


async def test_workflows_are_found_by_ids(api: Api, made: dict[str, str]) -> None:
    wanted = {"ids": [made["gamma"], "nonsense", made["alpha"]]}

    assert await _names(api, w=wanted) == ["gamma", "alpha"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (None, "gamma beta alpha"),
        ({"field": "CREATED_AT", "direction": "ASC"}, "alpha beta gamma"),
        ({"field": "NAME"}, "gamma beta alpha"),
        ({"field": "LAST_EXECUTED_AT"}, "alpha gamma beta"),
        ({"field": "LAST_EXECUTED_AT", "direction": "ASC"}, "beta gamma alpha"),
    ],
)
async def test_workflows_are_sorted(
    order: dict[str, Any] | None, expected: str, api: Api, made: dict[str, str]
) -> None:
    assert api.principal is not None
    rows = [
        execution_row(api.principal, at, workflow_id=made[name])
        for name, at in (("alpha", 9), ("gamma", 5))
    ]
    await Execution.bulk_create(rows)

    assert await _names(api, o=order) == expected.split()


@pytest.mark.parametrize("field", ["NAME", "CREATED_AT", "UPDATED_AT", "LAST_EXECUTED_AT"])
async def test_walking_by_cursors_sees_all(field: str, api: Api, made: dict[str, str]) -> None:
    pages: list[dict[str, Any]] = []

    for _ in made:
        after = pages[-1]["pageInfo"]["endCursor"] if pages else None
        found = await api.run(LIST, o={"field": field}, first=1, after=after)
        pages.append(found["workflows"])

    names = [node["name"] for page in pages for node in page["nodes"]]
    assert sorted(names) == ["alpha", "beta", "gamma"]
    assert [page["pageInfo"]["hasNextPage"] for page in pages] == [True, True, False]


async def test_a_cursor_of_another_order_is_refused(api: Api, made: dict[str, str]) -> None:
    page = (await api.run(LIST, o={"field": "NAME"}, first=1))["workflows"]
    cursor = page["pageInfo"]["endCursor"]

    refused = await api.refused(LIST, o={"field": "CREATED_AT"}, after=cursor)

    assert "is not a cursor of this list in this order; leave `after` out" in refused.message


async def test_giving_first_and_last_is_an_error(api: Api) -> None:
    refused = await api.refused("{ workflows(first: 1, last: 1) { totalCount } }")

    assert refused.message == "Give `first` or `last`, not both."
