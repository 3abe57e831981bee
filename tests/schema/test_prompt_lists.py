"""Proves that prompts are searched, filtered, sorted and paged alike on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.principal import Principal
from tests.schema.api import Api
from tests.schema.counting import counted
from tests.support.clock import ManualClock

LIST = """
query ($w: PromptFilter, $o: PromptOrder, $first: Int, $after: String) {
  prompts(where: $w, orderBy: $o, first: $first, after: $after) {
    nodes { name content } edges { cursor } totalCount pageInfo { hasNextPage endCursor }
  }
}
"""
PROMPTS: list[dict[str, Any]] = [
    {"name": "alpha", "content": "100% sure", "tags": ["x"], "instructions": "Be dry."},
    {"name": "beta", "content": "Under_score", "tags": ["x", "y"], "description": "Sure thing"},
    {"name": "gamma", "content": "old words", "tags": ["y"]},
]


@pytest.fixture
async def made(api: Api, clock: ManualClock) -> dict[str, str]:
    """Give the prompts: name -> id, each a second older than the next."""
    found = {}
    for each in PROMPTS:
        payload = await api.mutate("createPrompt", each, "prompt { id } errors { message }")
        found[each["name"]] = payload["prompt"]["id"]
        clock.move(seconds=1)
    change = {"id": found["gamma"], "content": "back\\slash"}
    await api.mutate("updatePrompt", change, "errors { message }")
    return found


async def _names(api: Api, **variables: Any) -> list[str]:
    found = await api.run(LIST, **variables)
    assert found["prompts"]["totalCount"] == len(found["prompts"]["nodes"])
    return [node["name"] for node in found["prompts"]["nodes"]]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ({}, "alpha beta gamma"),
        ({"search": "ALPH"}, "alpha"),
        ({"search": "sure"}, "alpha beta"),
        ({"search": "sure under"}, "beta"),
        ({"search": "dry"}, "alpha"),
        ({"search": "%"}, "alpha"),
        ({"search": "_"}, "beta"),
        ({"search": "\\"}, "gamma"),
        ({"search": "old"}, ""),
        ({"search": "\x00"}, ""),
        ({"tags": ["x"]}, "alpha beta"),
        ({"tags": ["x", "y"]}, "beta"),
        ({"tags": []}, "alpha beta gamma"),
        ({"ids": []}, ""),
        ({"ids": ["nonsense"]}, ""),
        ({"createdAt": {"until": "1990-01-01T00:00:00Z"}}, ""),
        ({"search": "sure", "tags": ["y"]}, "beta"),
    ],
)
async def test_a_filter_lets_through_what_it_says(
    api: Api, made: dict[str, str], where: dict[str, Any], names: str
) -> None:
    assert sorted(await _names(api, w=where)) == names.split()


async def test_prompts_are_found_by_their_ids(api: Api, made: dict[str, str]) -> None:
    assert await _names(api, w={"ids": [made["beta"]]}) == ["beta"]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (None, "gamma beta alpha"),
        ({"field": "NAME", "direction": "ASC"}, "alpha beta gamma"),
        ({"field": "NAME"}, "gamma beta alpha"),
        ({"field": "CREATED_AT", "direction": "ASC"}, "alpha beta gamma"),
        ({"field": "UPDATED_AT", "direction": "ASC"}, "alpha beta gamma"),
    ],
)
async def test_prompts_are_sorted_as_asked(
    api: Api, made: dict[str, str], order: dict[str, str] | None, names: str
) -> None:
    assert await _names(api, o=order) == names.split()


async def test_pages_follow_one_another(api: Api, made: dict[str, str]) -> None:
    order = {"field": "NAME", "direction": "ASC"}
    first = (await api.run(LIST, o=order, first=2))["prompts"]
    rest = await api.run(LIST, o=order, first=2, after=first["pageInfo"]["endCursor"])

    assert [node["name"] for node in first["nodes"]] == ["alpha", "beta"]
    assert [node["name"] for node in rest["prompts"]["nodes"]] == ["gamma"]


async def test_a_page_costs_as_much_for_three_as_for_one(api: Api, made: dict[str, str]) -> None:
    nested = LIST.replace("content }", "content currentVersion { parent { version } } }")
    with counted(api.engine.database) as for_one:
        await api.run(nested, first=1)
    with counted(api.engine.database) as for_three:
        await api.run(nested)

    assert len(for_three) <= len(for_one) + 1


async def test_a_stranger_sees_none_of_them(
    api: Api, made: dict[str, str], stranger: Principal
) -> None:
    assert await _names(api.seen_by(stranger), w={"search": "sure"}) == []
