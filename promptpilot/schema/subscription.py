"""Live feeds: the stored events of an execution, then the ones to come, with output if asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from promptpilot import models as rows
from promptpilot.engine.api import Engine
from promptpilot.engine.feed import decode_cursor, follow
from promptpilot.engine.watching import Item, watch
from promptpilot.errors import NotFound
from promptpilot.schema import declare
from promptpilot.schema.context import Info
from promptpilot.schema.given import given
from promptpilot.schema.links import link

IncludeOutput = Annotated[
    bool, strawberry.argument(description="Also send model output as it grows.")
]


@strawberry.type(
    description=(
        "Live feeds, over graphql-transport-ws or SSE. Delivery is at least once, in order per"
        " execution; cursors make it exactly once for a client that keeps the last one."
    )
)
class Subscription:
    """Live feeds."""

    @declare.subscription(
        description=(
            "What happens in one execution. Sends the stored events after `after` (all of"
            " them if it is left out), then goes on live, without gap or repetition, and"
            " completes after the final status. On an execution that is final already it"
            " replays and completes."
        ),
        graphql_type=link("ExecutionEvent"),
    )
    @staticmethod
    async def execution_events(
        info: Info,
        execution_id: Annotated[strawberry.ID, strawberry.argument(description="The execution.")],
        after: Annotated[
            str | None,
            strawberry.argument(
                description="Cursor of the last event seen; all events if not given."
            ),
        ] = strawberry.UNSET,
        *,
        include_output: IncludeOutput = False,
    ) -> AsyncGenerator[Item, None]:
        context, position = info.context, 0
        context.require()
        if await context.loaders.execution.load(execution_id) is None:
            raise NotFound("There is no execution with this id.", execution_id, ("executionId",))
        if (cursor := given(after)) is not None:
            position = decode_cursor(execution_id, cursor)
        live = _with_output if include_output else _stored
        async with aclosing(live(context.engine, execution_id, position)) as items:
            async for item in items:
                if isinstance(item, rows.ExecutionEvent):
                    context.loaders.forget()  # an event shows its execution as it is now
                yield item


async def _stored(engine: Engine, execution_id: str, after: int) -> AsyncGenerator[Item, None]:
    async with aclosing(follow(execution_id, after, engine.feed)) as pages:
        async for page in pages:
            for event in page:
                yield event


def _with_output(engine: Engine, execution_id: str, after: int) -> AsyncGenerator[Item, None]:
    return watch(execution_id, after, engine.feed, engine.outputs, engine.clock)
