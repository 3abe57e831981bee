"""Proves that an operation's cost is told from its text and variables, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, parse
from graphql.language import OperationDefinitionNode
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.front.cost import PriceList, Sizes
from promptpilot.front.limits import Limits
from tests.front.endpoint import Front
from tests.front.sample import Probe

SCHEMA = build_schema("""
    type Query { item: Item! items(first: Int, last: Int): ItemConnection! hello: String! all: All }
    union All = Item | Tag
    interface Named { name: String! tags: [Tag!]! }
    type Item implements Named {
        name: String! tags: [Tag!]! words: [String!]! parts(first: Int, last: Int): ItemConnection!
        steps(first: Int): [Tag!]!
    }
    type Tag implements Named { name: String! tags: [Tag!]! }
    type ItemConnection { edges: [ItemEdge!]! nodes: [Item!]! totalCount: Int pageInfo: PageInfo! }
    type ItemEdge { cursor: String! node: Item! }
    type PageInfo { hasNextPage: Boolean! }
""")
SIZES = Sizes(page=20, max_page=100, unknown=10, known={"Item.tags": 3})


def cost_of(text: str, variables: dict[str, Any] | None = None) -> int:
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return PriceList(SCHEMA, document, operation, SIZES).cost(variables)


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("{ hello }", 0),
        ("{ __typename __schema { types { name } } }", 0),
        ("{ item { name words } }", 1),
        ("{ item { tags { name } } }", 1 + 3),
        ("{ item { tags { tags { name } } } }", 1 + 3 * (1 + 10)),
        ("{ items { nodes { name } } }", 1 + 20),
        ("{ items(first: 50) { nodes { name } } }", 1 + 50),
        ("{ items(last: 7) { nodes { name } } }", 1 + 7),
        ("{ items(first: 7) { totalCount } }", 1),
        ("{ items(first: 7) { pageInfo { hasNextPage } } }", 1 + 1),
        ("{ items(first: 5) { edges { cursor node { name } } } }", 1 + 5),
        ("{ items(first: 5) { nodes { parts(first: 4) { nodes { name } } } } }", 1 + 5 * (2 + 4)),
        ("{ items(first: 1000) { nodes { name } } }", 1 + 100),
        ("{ items(first: -1) { nodes { name } } }", 1),
        ("{ item { steps(first: 4) { name } } }", 1 + 4),
        ("{ a: item { name } b: item { name } }", 2),
        ("{ item { ... on Item { tags { name } } ... { tags { name } } } }", 1 + 3 + 3),
        ("{ all { ... on Item { name } ... on Tag { tags { name } } } }", 1 + 10),
        (
            "{ all { ... on Item { tags { name } parts { totalCount } } ... on Tag { name } } }",
            1 + 4,
        ),
        ("{ all { ... on Item { tags { name } } ... on Tag { tags { name } } } }", 1 + 10),
        (
            "{ all { ... on Tag { tags { name } } ...T } } fragment T on Tag { tags { name } }",
            1 + 20,
        ),
        ("{ item { ...F } } fragment F on Named { tags { name } }", 1 + 10),
        ("{ items(first: 9) { ...P } } fragment P on ItemConnection { nodes { name } }", 1 + 9),
    ],
)
def test_objects_count_as_often_as_they_may_come(text: str, cost: int) -> None:
    assert cost_of(text) == cost


@pytest.mark.parametrize(
    ("variables", "cost"),
    [
        ({"n": 3}, 4),
        ({"n": 70.0}, 71),
        ({}, 51),
        ({"n": None}, 21),
        ({"n": "x"}, 21),
        ({"n": 10**9}, 101),
    ],
)
def test_sizes_of_pages_are_taken_from_variables(variables: dict[str, Any], cost: int) -> None:
    text = "query ($n: Int = 50) { items(first: $n) { nodes { name } } }"

    assert cost_of(text, variables) == cost


def test_a_page_without_a_size_costs_what_it_shows_whatever_the_default_is() -> None:
    text = "query ($n: Int = 0) { items(first: $n) { nodes { name } } }"
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    prices = PriceList(SCHEMA, document, operation, SIZES)

    costs = [prices.cost(variables) for variables in ({}, {"n": None}, {"n": 5.0}, {"n": None})]

    assert costs == [1, 21, 6, 21]


def test_a_price_list_tells_the_same_for_the_same_variables() -> None:
    document = parse("query ($n: Int) { items(first: $n) { nodes { name } } }")
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    prices = PriceList(SCHEMA, document, operation, SIZES)

    assert [prices.cost({"n": n % 12}) for n in range(24)] == [n % 12 + 1 for n in range(24)]


@given(st.integers(1, 200))
def test_spread_fragments_are_walked_once(levels: int) -> None:
    spread = "".join(f" fragment f{n} on Item {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels))

    assert cost_of(
        "{ item { ...f0 } }" + spread + f" fragment f{levels} on Item {{ tags {{ name }} }}"
    ) == (1 + 3 * 2**levels)


async def test_every_answer_tells_its_cost(front: Front) -> None:
    bodies = [
        (await front.ask(text)).json() for text in ("{ node { inner { name } } }", "{ away }")
    ]

    assert [body["extensions"]["cost"] for body in bodies] == [
        {"requested": 2, "maximum": 5000},
        {"requested": 0, "maximum": 5000},
    ]


async def test_what_costs_too_much_is_not_executed(probe: Probe) -> None:
    front = Front(probe, Limits(max_cost=1))

    response = await front.ask("{ node { inner { name } } }")

    assert response.status_code == 422
    assert response.json()["extensions"]["cost"] == {"requested": 2, "maximum": 1}
    assert response.json()["errors"][0]["message"].startswith("The operation costs 2; at most 1")
    assert not probe.contexts
