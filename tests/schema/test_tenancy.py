"""Proves, by walking the schema, that what is another's cannot be told from what is not there.

Every root field that takes an id, at whatever depth, is asked by a stranger for real objects of
every kind and for ids of nothing: the answers must be equal, and nothing of the owner may change.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from promptpilot.front.documents import Documents
from promptpilot.front.errors import Refused
from promptpilot.front.execution import Execution, Operation, body_of
from promptpilot.front.limits import Limits
from promptpilot.front.request import GraphQLRequest
from promptpilot.schema import schema
from promptpilot.schema.context import Context
from tests.schema.api import Api
from tests.schema.estate import all_texts, ids_but, rows_of, settle
from tests.schema.walking import Filling, Root, document, id_places, roots
from tests.support.stored import dump_tables

CANARY = "canary7f3a"
DEPTH = 3
#: What a feed has for its caller comes sooner.
SILENCE_SECONDS = 0.1
_HUGE = 10_000_000
LIMITS = replace(
    Limits(), max_tokens=_HUGE, max_aliases=_HUGE, max_cost=_HUGE, max_depth=99, max_repeats=_HUGE
)
EXECUTION = Execution(schema, Documents(schema, LIMITS), LIMITS)
#: What the server makes anew for each answer: ids, secrets, times taken, numbers that grow.
_FRESH = re.compile(
    r'[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}(-\d+)?|(whsec|pp|sk)_[\w+/=…-]+|"reference": "\w+"'
    r'|("\w*(revision|Revision|latencyMs|version|Cursor|cursor)": )("[^"]*"|\d+)'
)


@dataclass(frozen=True)
class Estates:
    """One id of each kind that a caller owns, and of each that a stranger does.

    `owners` are all ids that the caller's rows have.
    """

    theirs: dict[ids.Kind, str]
    own: dict[ids.Kind, str]
    owners: frozenset[str]

    def fillings(self, root: Root) -> Iterator[Filling]:
        """Put the caller's ids wherever a field takes one, beside the stranger's own."""
        named = [
            kind for kind in self.own if kind.name.replace("_", "").lower() in root.name.lower()
        ]
        for place in id_places(root.field):
            for asked in self.theirs.values():
                others = [self.own[kind] for kind in named] or [asked]
                yield from _once(
                    root,
                    [
                        Filling(place, asked, self.own, other, is_rich)
                        for other in others
                        for is_rich in (False, True)
                    ],
                )


def _once(root: Root, fillings: list[Filling]) -> Iterator[Filling]:
    """Leave out what would give the same arguments again."""
    seen = set()
    for each in fillings:
        given = json.dumps(each.arguments(root.field))
        if given not in seen:
            seen.add(given)
            yield each


@pytest.fixture
async def estates(api: Api, worker: Runner, stranger: Principal) -> Estates:
    """Give a caller and a stranger who have one of everything."""
    await settle(api, CANARY)
    known = frozenset(await all_texts(api.engine.database))
    theirs = await ids_but(api.engine.database, {stranger.user_id, stranger.workspace_id})
    await settle(api.seen_by(stranger), "own")
    await worker.drain(timedelta(seconds=5))
    own = await ids_but(api.engine.database, known - {stranger.user_id, stranger.workspace_id})
    return Estates(theirs, own, frozenset(each for each in known if ids.kind_of(each)))


async def ask(api: Api, root: Root, filling: Filling) -> str:
    """Return what a field answers, with a sign in the place of the id that was asked for."""
    given = filling.arguments(root.field)
    request = GraphQLRequest(document(root, given, DEPTH), variables=given)
    try:
        body = await _body(
            api, EXECUTION.prepare(request), is_live=root.operation == "subscription"
        )
    except Refused as refused:
        body = body_of(refused)
    return json.dumps(body, default=str).replace(filling.asked, "<asked>")


async def _body(api: Api, operation: Operation, *, is_live: bool) -> Any:
    if not is_live:
        return (await EXECUTION.answer(operation, Context.of(api.engine, api.principal))).body()
    answers = EXECUTION.answers(operation, lambda: Context.of(api.engine, api.principal))
    try:
        async with aclosing(answers), asyncio.timeout(SILENCE_SECONDS):
            return (await anext(answers)).body()
    except TimeoutError:
        return "silence"


def emptied(filling: Filling) -> Filling:
    """Return the filling with an id of nothing in the place of the caller's."""
    asked = unknown_like(filling.asked)
    return replace(filling, asked=asked, other=asked if filling.is_alone else filling.other)


def unknown_like(id: str) -> str:
    """Return an id of the same kind that belongs to nothing."""
    kind = ids.kind_of(id)
    assert kind is not None
    if kind is ids.Kind.STEP_EXECUTION:
        return ids.step_execution_id(ids.new_id(ids.Kind.EXECUTION), "2")
    return ids.new_id(kind)


async def test_every_kind_of_id_is_tried(estates: Estates) -> None:
    assert set(estates.theirs) == set(ids.Kind)
    assert set(estates.own) == set(ids.Kind)


@pytest.mark.parametrize("kind", ["query", "mutation", "subscription"])
async def test_what_is_anothers_is_answered_like_nothing_and_stays_as_it_is(
    kind: str, api: Api, stranger: Principal, estates: Estates
) -> None:
    theirs, told = api.seen_by(stranger), []
    before = rows_of(await dump_tables(api.engine.database), estates.owners)

    for root in [each for each in roots() if each.operation == kind]:
        for filling in estates.fillings(root):
            real = await ask(theirs, root, filling)
            nothing = await ask(theirs, root, emptied(filling))
            if CANARY in real or _FRESH.sub("", real) != _FRESH.sub("", nothing):
                told.append((str(root), filling.place, filling.asked, real, nothing))

    assert told == []
    assert rows_of(await dump_tables(api.engine.database), estates.owners) == before
