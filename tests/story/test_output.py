"""Who watches is sent the answers of models while they grow in a worker, whatever Redis does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from tests.story.owner import Event, Owner, join
from tests.support.caller import Caller
from tests.support.redis import RedisServer

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

WORDS = [f"word{number} " for number in range(30)]
WHOLE = "".join(WORDS)

_WATCH = """
subscription ($id: ID!, $after: String) {
  executionEvents(executionId: $id, after: $after, includeOutput: true) {
    __typename cursor
    ... on StepOutputAppended { text isSnapshot }
  }
}"""


@pytest.fixture
async def owner(caller: Caller) -> Owner:
    """Give somebody who is signed in."""
    return await join(caller)


async def _launch(owner: Owner) -> str:
    """Start a workflow whose model takes three seconds for its answer; return the execution."""
    script = {"chunks": WORDS, "chunkDelayMs": 100}
    model = {"provider": "SIMULATOR", "model": "m", "parameters": {"extra": script}}
    step = {"name": "tell", "config": {"prompt": {"content": "Hi", "models": [model]}}}
    made = await owner.change("createWorkflow", "workflow { id }", name="Tale", steps=[step])
    given = {"workflowId": made["workflow"]["id"], "input": {}}
    started = await owner.change("startExecution", "execution { id }", **given)
    return str(started["execution"]["id"])


async def _watch(owner: Owner, id: str, after: str | None = None) -> AsyncIterator[Event]:
    async for data in owner.caller.subscribe(_WATCH, id=id, after=after):
        yield data["executionEvents"]


def _read(items: list[Event]) -> str:
    """Return the text that a client holds after these items."""
    text = ""
    for item in (each for each in items if each["__typename"] == "StepOutputAppended"):
        text = item["text"] if item["isSnapshot"] else text + item["text"]
    return text


async def _first_words(owner: Owner, id: str) -> list[Event]:
    """Watch until several pieces came; return what came."""
    items: list[Event] = []
    async with aclosing(_watch(owner, id)) as live:  # type: ignore[type-var]  # it is a generator
        async for item in live:
            items.append(item)
            if len(_read(items)) > len(WHOLE) // 4:
                break
    return items


async def test_a_subscription_resumed_in_mid_sentence_begins_with_all_so_far(
    owner: Owner,
) -> None:
    execution_id = await _launch(owner)

    seen = await _first_words(owner, execution_id)
    rest: list[dict[str, Any]] = [
        e async for e in _watch(owner, execution_id, after=seen[-1]["cursor"])
    ]

    outputs = [each for each in rest if each["__typename"] == "StepOutputAppended"]
    assert [each["isSnapshot"] for each in outputs] == [True] + [False] * (len(outputs) - 1)
    assert outputs[0]["text"].startswith(_read(seen))
    assert len(outputs) > 3
    assert _read(rest) == WHOLE


async def test_the_answer_is_whole_although_redis_was_restarted_meanwhile(
    owner: Owner, redis_server: RedisServer
) -> None:
    execution_id = await _launch(owner)
    seen = _read(await _first_words(owner, execution_id))

    redis_server.restart()
    rest = [each async for each in _watch(owner, execution_id)]

    assert WHOLE.startswith(_read(rest))
    assert len(_read(rest)) > len(seen)
    assert (await owner.read(execution_id, "status"))["status"] == "COMPLETED"
