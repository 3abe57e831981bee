"""Proves, by walking the schema, that no list asks the database again for each of its items.

Every list is asked for everything below it, twice as a caller with few objects and with many: the
number of statements must be the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta

from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType, get_named_type

from promptpilot.engine.runner import Runner
from promptpilot.front.request import GraphQLRequest
from promptpilot.schema.context import Context
from tests.schema.api import Api
from tests.schema.counting import counted
from tests.schema.estate import settle
from tests.schema.test_tenancy import EXECUTION
from tests.schema.walking import Root, document, roots

DEPTH = 5
MANY = 8
_NUMBER = re.compile(r"[0-9]+")
_LIST = re.compile(r"\([?$, ]*\)")


def _lists() -> Iterator[Root]:
    """Return the root fields that answer with a page or a list of objects."""
    for root in roots():
        type_ = root.field.type
        of = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        is_list = isinstance(of, GraphQLList) and _fields_of(root)
        if root.operation == "query" and (is_list or "pageInfo" in _fields_of(root)):
            yield root


def _fields_of(root: Root) -> Collection[str]:
    named = get_named_type(root.field.type)
    return named.fields if isinstance(named, GraphQLObjectType) else ()


async def _statements(api: Api, root: Root) -> list[str]:
    return await _told(api, document(root, {}, DEPTH))


async def _told(api: Api, text: str) -> list[str]:
    operation = EXECUTION.prepare(GraphQLRequest(text, variables={}))
    with counted(api.engine.database) as statements:
        answer = await EXECUTION.answer(operation, Context.of(api.engine, api.principal))
    assert answer.errors == (), answer.errors
    return statements


def _shapes(statements: Iterable[str]) -> Counter[str]:
    """Count statements that differ in nothing but the number of things they ask for."""
    firsts = (each.partition(" UNION ALL ")[0] for each in statements)
    return Counter(_LIST.sub("(…)", _NUMBER.sub("", each)) for each in firsts)


async def test_no_list_asks_again_for_each_of_its_items(api: Api, worker: Runner) -> None:
    for number in range(2):
        await settle(api, f"few{number}")
    few = {str(each): _shapes(await _statements(api, each)) for each in _lists()}
    for number in range(MANY):
        await settle(api, f"many{number}")
    await worker.drain(timedelta(seconds=5))

    many = {str(each): _shapes(await _statements(api, each)) for each in _lists()}

    # What is read at different depths may meet in one statement, or in a few.
    grown = {(name, *each) for name in few for each in (many[name] - few[name]).items()}
    assert {each for each in grown if each[2] >= MANY - 1} == set()


async def test_nothing_is_counted_that_is_not_asked_for(api: Api, worker: Runner) -> None:
    await settle(api, "one")
    pages = [each for each in _lists() if "totalCount" in _fields_of(each)]

    for root in pages:
        uncounted = await _told(api, f"{{ {root.name} {{ nodes {{ __typename }} }} }}")
        counting = await _told(api, f"{{ {root.name} {{ totalCount }} }}")
        assert not any("COUNT(" in each for each in uncounted)
        assert any("COUNT(" in each for each in counting)
