"""Proves that the fast executor answers as graphql-core's own, whatever objects hold."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

import strawberry
from graphql import Undefined
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.scalars import JSON

from promptpilot.front.documents import Documents
from promptpilot.front.execution import Execution
from promptpilot.front.limits import Limits
from promptpilot.front.request import GraphQLRequest


@strawberry.enum
class Colour(Enum):
    """An enumeration whose values are not its names."""

    RED = 1
    BLUE = "blue"


@strawberry.interface
class Named:
    """Something with a name."""

    name: str


@strawberry.type
class Leaf(Named):
    """Plain fields of every kind."""

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return getattr(obj, "kind", "leaf") == "leaf"

    id: strawberry.ID
    count: int | None
    ratio: float | None
    is_good: bool
    colour: Colour
    shade: Colour | None
    words: list[str]
    data: JSON | None


@strawberry.type
class Branch(Named):
    """Plain fields beside resolved ones."""

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return getattr(obj, "kind", "") == "branch"

    count: int | None
    leaves: list[Leaf]
    maybe: list[Leaf | None] | None
    things: list[Named]

    @strawberry.field
    async def later(self) -> str | None:
        await asyncio.sleep(0)
        return f"later {self.name}"

    @strawberry.field
    def now(self, twice: bool = False) -> str:  # noqa: FBT001, FBT002 -- an argument of the API
        return f"now {self.name}" * (1 + twice)


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    def branch(self) -> Branch | None:
        branch: Branch | None = BOX.branch
        return branch

    @strawberry.field
    async def branches(self) -> list[Branch]:
        return [BOX.branch, BOX.branch]


@dataclass
class Box:
    """Where a query finds its objects."""

    branch: Any = field(default=None)


BOX = Box()


schema = strawberry.Schema(Query, types=[Leaf, Branch])


class Failing:
    """An object whose attributes cannot be read."""

    kind = "leaf"

    def __getattr__(self, name: str) -> Any:
        raise ValueError(f"no {name}")


async def _eventually(value: str) -> str:
    return value


ODD = st.sampled_from(
    [None, 1, -(2**40), 0.5, float("nan"), True, "", "text", Colour.RED, "RED", "blue", Undefined]
) | st.builds(ValueError, st.just("an error as a value"))
TEXTS = st.text(max_size=3) | ODD
LEAVES = st.builds(
    lambda **members: SimpleNamespace(kind="leaf", **members),
    name=TEXTS,
    id=TEXTS | st.integers(),
    count=st.none() | st.integers(-5, 5) | ODD,
    ratio=st.none() | st.floats(allow_nan=False, allow_infinity=False) | ODD,
    is_good=st.booleans() | ODD,
    colour=st.sampled_from(Colour) | ODD,
    shade=st.none() | st.sampled_from(Colour) | ODD,
    words=st.lists(st.text(max_size=2) | st.none(), max_size=2),
    data=st.none() | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
GOOD_LEAVES = st.builds(
    lambda **members: SimpleNamespace(kind="leaf", **members),
    name=st.text(max_size=3),
    id=st.text(max_size=3),
    count=st.none() | st.integers(-5, 5),
    ratio=st.none() | st.floats(-9, 9),
    is_good=st.booleans(),
    colour=st.sampled_from(Colour),
    shade=st.none() | st.sampled_from(Colour),
    words=st.lists(st.text(max_size=2), max_size=2),
    data=st.none() | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
ITEMS = LEAVES | st.none() | st.builds(Failing)
BRANCHES = st.builds(
    lambda **members: SimpleNamespace(kind="branch", **members),
    name=st.text(max_size=3),
    count=st.none() | st.integers(-5, 5),
    leaves=st.lists(LEAVES, max_size=3) | st.lists(ITEMS, max_size=3).map(tuple) | st.none(),
    maybe=st.lists(ITEMS, max_size=3) | st.none(),
    things=st.lists(LEAVES, max_size=3),
)
GOOD_BRANCHES = st.builds(
    lambda **members: SimpleNamespace(kind="branch", **members),
    name=st.text(max_size=3),
    count=st.none() | st.integers(-5, 5),
    leaves=st.lists(GOOD_LEAVES, min_size=1, max_size=3),
    maybe=st.lists(GOOD_LEAVES | st.none(), max_size=3) | st.none(),
    things=st.lists(GOOD_LEAVES, max_size=3),
)

PLAIN = ["name", "id", "count", "ratio", "isGood", "colour", "shade", "data", "__typename"]
LEAF_FIELDS = st.lists(
    st.sampled_from(
        [
            *PLAIN,
            "words",
            "a: name",
            "b: count",
            "name @skip(if: $yes)",
            "... @include(if: $yes) { shade }",
            "... on Leaf { colour }",
            "...OfLeaf",
        ]
    ),
    min_size=1,
    max_size=6,
).map(" ".join)
LISTS = st.tuples(st.sampled_from(["leaves", "maybe", "x: leaves"]), LEAF_FIELDS)
THINGS = LEAF_FIELDS.map(lambda fields: f"things {{ name __typename ... on Leaf {{ {fields} }} }}")
BRANCH_FIELDS = st.lists(
    st.sampled_from(["name", "count", "later", "now", "t: now(twice: true)", "__typename"])
    | LISTS.map(lambda pair: f"{pair[0]} {{ {pair[1]} }}")
    | THINGS,
    min_size=1,
    max_size=5,
).map(" ".join)
QUERIES = st.tuples(st.sampled_from(["branch", "branches"]), BRANCH_FIELDS).map(
    lambda pair: (
        f"query ($yes: Boolean = true) {{ {pair[0]} {{ {pair[1]} ...OfBranch }} }}"
        " fragment OfLeaf on Leaf { id words } fragment OfBranch on Branch { leaves { ...OfLeaf } }"
    )
)


async def answer_of(text: str, *, is_fast: bool) -> str:
    limits = Limits(is_fast=is_fast, max_repeats=1000, max_aliases=1000)
    execution = Execution(schema, Documents(schema, limits), limits)
    operation = execution.prepare(GraphQLRequest(text))
    body = (await execution.answer(operation, None)).body()
    for error in body.get("errors", ()):
        error.get("extensions", {}).pop("reference", None)
    return json.dumps(body)


@settings(max_examples=150)
@given(QUERIES, GOOD_BRANCHES | BRANCHES)
def test_both_executors_answer_the_same(text: str, branch: Any) -> None:
    BOX.branch = branch
    # Two lists that differ in their arguments or fields cannot be merged; such are refused by both.
    answers = [asyncio.run(tried(text, is_fast=is_fast)) for is_fast in (True, False)]

    assert answers[0] == answers[1]


async def tried(text: str, *, is_fast: bool) -> str:
    try:
        return await answer_of(text, is_fast=is_fast)
    except Exception as error:  # noqa: BLE001 -- compared as well
        return repr(error)


async def test_an_error_beside_what_is_awaited_is_told() -> None:
    BOX.branch = SimpleNamespace(kind="branch", name="", count=0, leaves=None)
    query = "{ branch { later leaves { name } } }"

    answers = [await answer_of(query, is_fast=is_fast) for is_fast in (True, False)]

    assert answers[0] == answers[1]
    assert json.loads(answers[0])["data"] == {"branch": None}


async def test_an_attribute_to_be_awaited_is_awaited() -> None:
    class Slow:
        kind = "leaf"

        @property
        def name(self) -> Any:
            return _eventually("in the end")

    BOX.branch = SimpleNamespace(kind="branch", name="", count=0, leaves=[Slow()])

    answer = json.loads(await answer_of("{ branch { leaves { name } } }", is_fast=True))

    assert answer["data"] == {"branch": {"leaves": [{"name": "in the end"}]}}
