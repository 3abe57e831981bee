"""Proves that a subscriber who asks for it is sent model output as it grows, and others are not."""

from __future__ import annotations

from typing import Any

from promptpilot.engine.runner import Runner
from tests.schema.api import Api
from tests.schema.documents import make_workflow, start
from tests.schema.watching import finish

OUTPUT = """
subscription ($id: ID!, $after: String) {
  executionEvents(executionId: $id, after: $after, includeOutput: true) {
    __typename cursor sequence occurredAt execution { id }
    ... on StepOutputAppended { modelIndex text isSnapshot stepExecution { stepName status } }
  }
}
"""
WORDS = ["Once ", "upon ", "a ", "time"]


def telling(**script: Any) -> dict[str, Any]:
    """Return a step whose model says words one by one."""
    script = {"chunks": WORDS, "chunkDelayMs": 60, **script}
    model = {"provider": "SIMULATOR", "model": "m", "parameters": {"extra": script}}
    return {"name": "tell", "config": {"prompt": {"content": "Hi", "models": [model, model]}}}


async def launch(api: Api, step: dict[str, Any]) -> str:
    """Start a workflow of one step; return the execution's id."""
    workflow_id = await make_workflow(api, steps=[step], variables=[])
    return await start(api, workflow_id, input={})


async def everything(api: Api, execution_id: str) -> list[dict[str, Any]]:
    """Return all items of the subscription."""
    items = []
    async for result in api.watch(OUTPUT, id=execution_id):
        assert result.errors is None, result.errors
        assert result.data is not None
        items.append(result.data["executionEvents"])
    return items


def outputs_of(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items that are output."""
    return [each for each in items if each["__typename"] == "StepOutputAppended"]


async def test_each_model_is_heard_from_a_snapshot_on(api: Api, worker: Runner) -> None:
    shown = outputs_of(await everything(api, await launch(api, telling())))

    for index in (0, 1):
        own = [each for each in shown if each["modelIndex"] == index]
        assert [each["isSnapshot"] for each in own] == [True] + [False] * (len(own) - 1)
        assert len(own) >= 2
        assert "".join(each["text"] for each in own) == "Once upon a time"


async def test_output_stands_at_the_event_before_it_and_is_not_stored(
    api: Api, worker: Runner
) -> None:
    execution_id = await launch(api, telling())

    items = await everything(api, execution_id)

    before = next(each for each in reversed(items) if each["__typename"] == "StepStatusChanged")
    first = outputs_of(items)[0]
    stored = [each["sequence"] for each in items if each["__typename"] != first["__typename"]]
    assert stored == list(range(1, len(stored) + 1))
    assert first["sequence"] == before["sequence"] - 1
    assert first["execution"] == {"id": execution_id}
    assert first["stepExecution"] == {"stepName": "tell", "status": "RUNNING"}
    assert outputs_of(await everything(api, execution_id)) == []


async def test_who_does_not_ask_for_output_gets_none(api: Api, worker: Runner) -> None:
    events = await finish(api, await launch(api, telling()))

    assert {each["__typename"] for each in events} == {
        *("ExecutionStatusChanged", "StepStatusChanged")
    }
