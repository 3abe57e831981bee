"""Live feeds: of one execution, with output if asked, and of the statuses of all executions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated

import strawberry

from promptpilot import models as rows
from promptpilot.engine.api import Engine
from promptpilot.engine.execution_feed import StatusChange, Wanted
from promptpilot.engine.feed import decode_cursor, follow
from promptpilot.engine.lifecycle import ExecutionStatus
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

    @declare.subscription(
        description=(
            "Status changes of all executions that match, of the caller. Without `after` it"
            " begins now; with it, at that point of the last 24 hours (older: GraphQL error with"
            " code CURSOR_EXPIRED; read `executions` and begin anew). Never completes."
        ),
        graphql_type=link("ExecutionStatusChanged"),
    )
    @staticmethod
    async def execution_feed(
        info: Info,
        workflow_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="Of these workflows; all if not given."),
        ] = strawberry.UNSET,
        statuses: Annotated[
            list[ExecutionStatus] | None,
            strawberry.argument(description="Changes into any of these; all if not given."),
        ] = strawberry.UNSET,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="Cursor of the last event seen; only new events if not given."
            ),
        ] = strawberry.UNSET,
    ) -> AsyncGenerator[StatusChange, None]:
        context = info.context
        workspace_id = context.require().workspace_id
        wanted = Wanted(_chosen(workflow_ids), _chosen(statuses))
        feed = context.engine.execution_feed
        place = await feed.start(workspace_id, given(after))
        async with aclosing(feed.follow(workspace_id, place, wanted)) as changes:
            async for change in changes:
                context.loaders.forget()
                yield change


def _chosen(values: Sequence[str] | None) -> frozenset[str] | None:
    """Return what is to be shown; None for everything."""
    chosen = given(values)
    return None if chosen is None else frozenset(chosen)


async def _stored(engine: Engine, execution_id: str, after: int) -> AsyncGenerator[Item, None]:
    async with aclosing(follow(execution_id, after, engine.feed, engine.event_reads)) as pages:
        async for page in pages:
            for event in page:
                yield event


def _with_output(engine: Engine, execution_id: str, after: int) -> AsyncGenerator[Item, None]:
    reads = engine.event_reads
    return watch(execution_id, after, engine.feed, engine.outputs, engine.clock, reads)
