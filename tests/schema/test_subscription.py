"""Proves that the feed tells everything once and in order, live and from any point on."""

from __future__ import annotations

import asyncio

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner
from promptpilot.errors import InvalidInput, NotFound, PromptPilotError, Unauthenticated
from tests.schema.api import Api
from tests.schema.documents import make_workflow, start
from tests.schema.watching import EVENTS, events_after, finish


async def test_the_feed_tells_all_and_ends_with_the_execution(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))

    events = await finish(api, execution_id)

    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["fromStatus"], events[0]["toStatus"]) == (None, "PENDING")
    assert events[-1]["toStatus"] == events[-1]["execution"]["status"] == "COMPLETED"


async def test_every_step_is_told(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))

    events = await finish(api, execution_id)

    told = [
        (event["stepExecution"]["stepName"], event["toStepStatus"])
        for event in events
        if event["__typename"] == "StepStatusChanged"
    ]
    ends = [("take", "COMPLETED"), ("is_bug", "COMPLETED"), ("summary", "COMPLETED")]
    assert [each for each in told if each[1] != "RUNNING"] == [*ends, ("other", "SKIPPED")]


async def test_the_feed_goes_on_after_any_cursor(api: Api, worker: Runner) -> None:
    execution_id = await start(api, await make_workflow(api))
    events = await finish(api, execution_id)

    for place, event in enumerate(events):
        rest = await events_after(api, execution_id, event["cursor"])
        assert [each["sequence"] for each in rest] == [e["sequence"] for e in events[place + 1 :]]


async def test_each_event_shows_the_execution_as_it_is_then(api: Api) -> None:
    execution_id = await start(api, await make_workflow(api))
    watch = api.watch(EVENTS, id=execution_id)

    first = await anext(watch)
    await api.mutate("cancelExecution", {"id": execution_id}, "errors { code }")
    second = await anext(watch)

    statuses = [
        result.data["executionEvents"]["execution"]["status"]
        for result in (first, second)
        if result.data
    ]
    assert statuses == ["PENDING", "CANCELLED"]
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_a_feed_that_nobody_reads_stops_listening(api: Api) -> None:
    execution_id = await start(api, await make_workflow(api))
    watch = api.watch(EVENTS, id=execution_id)
    await anext(watch)
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert len(api.engine.feed) == 0  # type: ignore[arg-type]  # the one of tests counts its ears


async def test_a_failed_attempt_is_told_with_the_next_one(api: Api, worker: Runner) -> None:
    workflow_id = await make_workflow(api, steps=[FLAKY], variables=[])
    execution_id = await start(api, workflow_id, input={})

    events = await finish(api, execution_id)

    retries = [event for event in events if event["__typename"] == "StepRetryScheduled"]
    assert [event["attempt"]["number"] for event in retries] == [1]


FLAKY = {
    "name": "ask",
    "config": {
        "prompt": {
            "content": "Hi",
            "models": [
                {
                    "provider": "SIMULATOR",
                    "model": "echo",
                    "parameters": {"extra": {"error": {"isRetryable": True}, "failAttempts": 1}},
                }
            ],
        }
    },
    "retry": {"maxAttempts": 2, "initialDelayMs": 0},
}


async def _refusal(api: Api, execution_id: str, after: str | None = None) -> PromptPilotError:
    answers = [result async for result in api.watch(EVENTS, id=execution_id, after=after)]
    assert len(answers) == 1
    assert answers[0].errors is not None
    cause = answers[0].errors[0].original_error
    assert isinstance(cause, PromptPilotError)
    return cause


async def test_an_unknown_and_a_foreign_execution_are_not_told_apart(
    api: Api, stranger: Principal
) -> None:
    execution_id = await start(api, await make_workflow(api))
    asked = [execution_id, ids.new_id(ids.Kind.EXECUTION), "nonsense", "\u0000"]

    refusals = [await _refusal(api.seen_by(stranger), each) for each in asked]

    assert {type(each) for each in refusals} == {NotFound}
    assert len({each.message for each in refusals}) == 1


async def test_who_is_not_signed_in_hears_nothing(api: Api) -> None:
    execution_id = await start(api, await make_workflow(api))

    assert isinstance(await _refusal(api.seen_by(None), execution_id), Unauthenticated)


async def test_a_cursor_of_another_execution_is_refused(api: Api) -> None:
    workflow_id = await make_workflow(api)
    one, other = [await start(api, workflow_id) for _ in range(2)]
    document = "query ($id: ID!) { execution(id: $id) { eventCursor } }"
    cursor = (await api.run(document, id=other))["execution"]["eventCursor"]

    for wrong in (cursor, "nonsense", "é", ""):
        refused = await _refusal(api, one, wrong)
        assert isinstance(refused, InvalidInput)
        assert refused.path == ("after",)
