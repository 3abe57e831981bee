"""Proves that the feed of all executions says through the API what the caller asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from promptpilot.errors import CursorExpired, PromptPilotError, Unauthenticated
from tests.schema.api import Api
from tests.schema.documents import make_workflow, start
from tests.schema.watching import finish

FEED = """
subscription ($workflowIds: [ID!], $statuses: [ExecutionStatus!], $after: String) {
  executionFeed(workflowIds: $workflowIds, statuses: $statuses, after: $after) {
    __typename cursor sequence fromStatus toStatus execution { id status }
  }
}"""


async def cursor_of_now(api: Api) -> str:
    """Return a cursor from which later changes are told."""
    workflow_id = await make_workflow(api)
    async with aclosing(api.watch(FEED)) as feed:
        first = asyncio.ensure_future(anext(feed))
        while not first.done():  # nobody is told when a feed has begun
            await start(api, workflow_id)
            await asyncio.wait([first], timeout=0.2)
        data = first.result().data
    assert data is not None
    cursor: str = data["executionFeed"]["cursor"]
    return cursor


@asynccontextmanager
async def feed_of(api: Api, **variables: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Give the changes that a feed tells."""

    async def changes() -> AsyncIterator[dict[str, Any]]:
        async for result in feed:
            assert result.errors is None, result.errors
            assert result.data is not None
            yield result.data["executionFeed"]

    async with asyncio.timeout(20), aclosing(api.watch(FEED, **variables)) as feed:
        yield changes()


async def test_changes_come_in_order_and_show_the_execution_as_it_is_then(api: Api) -> None:
    after, workflow_id = await cursor_of_now(api), await make_workflow(api)
    async with feed_of(api, after=after, workflowIds=[workflow_id]) as changes:
        execution_id = await start(api, workflow_id)
        first = await anext(changes)
        await api.mutate("cancelExecution", {"id": execution_id}, "errors { code }")
        second = await anext(changes)

    assert [each["toStatus"] for each in (first, second)] == ["PENDING", "CANCELLED"]
    assert [each["execution"]["status"] for each in (first, second)] == ["PENDING", "CANCELLED"]
    assert {first["execution"]["id"], second["execution"]["id"]} == {execution_id}


async def test_only_what_was_asked_for_is_told(api: Api, worker: Runner) -> None:
    after, workflow_id = await cursor_of_now(api), await make_workflow(api)
    other = await start(api, await make_workflow(api))
    execution_id = await start(api, workflow_id)
    for each in (other, execution_id):
        await finish(api, each)

    wanted = {"workflowIds": [workflow_id], "statuses": ["COMPLETED"]}
    async with feed_of(api, after=after, **wanted) as changes:
        told = await anext(changes)

    assert (told["execution"]["id"], told["toStatus"]) == (execution_id, "COMPLETED")


async def _refusal(api: Api, after: str | None = None) -> PromptPilotError:
    (answer,) = [result async for result in api.watch(FEED, after=after)]
    assert answer.errors is not None
    cause = answer.errors[0].original_error
    assert isinstance(cause, PromptPilotError)
    return cause


async def test_a_cursor_of_somebody_else_is_as_unknown_as_any_text(
    api: Api, stranger: Principal
) -> None:
    foreign = await _refusal(api.seen_by(stranger), await cursor_of_now(api))
    invented = await _refusal(api.seen_by(stranger), "invented")

    assert isinstance(foreign, CursorExpired)
    assert foreign.message == invented.message


async def test_nobody_follows_without_signing_in(api: Api) -> None:
    assert isinstance(await _refusal(api.seen_by(None)), Unauthenticated)


async def test_a_feed_that_nobody_reads_stops_listening(api: Api) -> None:
    watch = api.watch(FEED)
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.wait([waiting], timeout=0.1)
    assert len(api.engine.feed) == 1  # type: ignore[arg-type]  # the one of tests counts its ears

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert len(api.engine.feed) == 0  # type: ignore[arg-type]  # the one of tests counts its ears
