"""A small schema that misbehaves on request, and a probe that sees what the front does with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from promptpilot.errors import (
    InvalidInput,
    InvalidMany,
    NotFound,
    PermissionDenied,
    Required,
    Unavailable,
)

SECRET = "hunter2 in the traceback"


@dataclass
class Probe:
    """What the resolvers saw: contexts, events made, sources open."""

    contexts: list[Context] = field(default_factory=list)
    events: int = 0
    stored: list[str] = field(default_factory=list)
    may_store: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def source_closed(self) -> None:
        """Wait until a source or a resolver was told to stop; fail after a second."""
        async with asyncio.timeout(1):
            await self.closed.wait()

    def new_context(self) -> Context:
        """Make a context and remember it."""
        self.contexts.append(Context(self))
        return self.contexts[-1]


@dataclass(eq=False)
class Context:
    """The context of one operation."""

    probe: Probe


def _probe(info: Info[Any, Any]) -> Probe:
    probe = info.context.probe
    assert isinstance(probe, Probe)
    return probe


@strawberry.type
class Node:
    """An object that contains itself, for deep documents."""

    name: str = "a node"

    @strawberry.field
    def inner(self) -> Node:
        return Node()


@strawberry.input
class Patch:
    """An input whose member may be left out but not be null."""

    title: strawberry.Maybe[str]


@strawberry.input(one_of=True)
class Choice:
    """An input of which exactly one member is given."""

    left: strawberry.Maybe[int]
    right: strawberry.Maybe[int]


@strawberry.type
class Query:
    """Reads."""

    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"Hello, {name}!"

    @strawberry.field
    def number(self, value: int) -> int:
        return value

    @strawberry.field
    def node(self) -> Node:
        return Node()

    @strawberry.field
    def echo(self, value: JSON) -> JSON:
        return value

    @strawberry.field
    def infinite(self) -> JSON:
        return JSON({"value": float("inf"), "big": 2**70, 1: "\ud800"})

    @strawberry.field
    def identified(self, id: UUID) -> str:
        return str(id)

    @strawberry.field
    def unwritable(self) -> JSON:
        return JSON({"value": object()})

    @strawberry.field
    def patched(self, patch: Patch) -> str:
        return patch.title.value if patch.title else "as it was"

    @strawberry.field
    def chosen(self, choice: Choice) -> int:
        return choice.left.value if choice.left else 0

    @strawberry.field
    def chosen_of(self, choices: list[Choice]) -> int:
        return len(choices)

    @strawberry.field
    async def broken(self) -> str | None:
        raise RuntimeError(SECRET)

    @strawberry.field
    async def missing(self) -> str | None:
        raise NotFound("There is no such thing.", path=("input", "id"))

    @strawberry.field
    async def faulty(self) -> str | None:
        raise InvalidMany([Required("A name is missing."), InvalidInput("Too long.", ("text",))])

    @strawberry.field
    async def away(self) -> str | None:
        raise Unavailable("The database does not answer.")

    @strawberry.field
    async def stuck(self, info: Info[Any, Any]) -> str:
        _probe(info).opened.set()
        try:
            await asyncio.Event().wait()
        finally:
            _probe(info).closed.set()
        return "never"


@strawberry.type
class Mutation:
    """Writes."""

    @strawberry.mutation
    def rename(self, name: str) -> str:
        return name

    @strawberry.mutation
    async def store(self, info: Info[Any, Any], name: str) -> str:
        probe = _probe(info)
        probe.opened.set()
        await probe.may_store.wait()
        probe.stored.append(name)
        probe.closed.set()
        return name


@strawberry.type
class Subscription:
    """Streams."""

    @strawberry.subscription
    async def count(self, info: Info[Any, Any], to: int) -> AsyncGenerator[int, None]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def forever(self, info: Info[Any, Any]) -> AsyncGenerator[int, None]:
        probe = _probe(info)
        probe.opened.set()
        try:
            while True:
                yield 1
                await asyncio.Event().wait()
        finally:
            probe.closed.set()

    @strawberry.subscription
    async def flood(self, info: Info[Any, Any], size: int) -> AsyncGenerator[str, None]:
        probe = _probe(info)
        try:
            while True:
                probe.events += 1
                yield "x" * size
        finally:
            probe.closed.set()

    @strawberry.subscription
    async def failing(self, after: int) -> AsyncGenerator[int, None]:
        for number in range(after):
            yield number
        raise RuntimeError(SECRET)

    @strawberry.subscription
    async def guarded(self) -> AsyncIterator[int]:
        raise PermissionDenied("This is not yours.")

    @strawberry.subscription
    async def forbidden(self) -> AsyncGenerator[int, None]:
        raise NotFound("There is no such thing.")
        yield 1

    @strawberry.subscription
    async def nodes(self, info: Info[Any, Any]) -> AsyncGenerator[Watched, None]:
        for _ in range(2):
            yield Watched()


@strawberry.type
class Watched:
    """Tells which context its own field was resolved with."""

    @strawberry.field
    def context_number(self, info: Info[Any, Any]) -> int:
        return _probe(info).contexts.index(info.context)

    @strawberry.field
    async def stuck(self) -> str:
        await asyncio.Event().wait()
        return "never"


schema = strawberry.Schema(Query, Mutation, Subscription)
