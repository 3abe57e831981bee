"""Proves that executions are held and go on through the API, and tell how long they may take."""

from __future__ import annotations

import pytest

from promptpilot.engine.runner import Runner
from tests.schema.api import Api
from tests.schema.documents import make_workflow, start
from tests.schema.watching import reach

HELD = "execution { status waitReason resumesAt pauseRequestedAt } errors { code path }"


async def test_a_paused_execution_is_held_until_it_is_resumed(api: Api) -> None:
    given = {"id": await start(api, await make_workflow(api))}

    paused = await api.mutate("pauseExecution", given, HELD)
    resumed = await api.mutate("resumeExecution", given, HELD)

    assert (paused["execution"]["status"], paused["errors"]) == ("PAUSED", [])
    assert (resumed["execution"]["status"], resumed["errors"]) == ("PENDING", [])
    assert resumed["execution"]["pauseRequestedAt"] is None


async def test_a_delay_goes_on_with_its_own_time(api: Api) -> None:
    later = "2026-09-02T00:00:00Z"
    given = {"id": await start(api, await make_workflow(api), startAt=later)}
    await api.mutate("pauseExecution", given, HELD)

    resumed = await api.mutate("resumeExecution", given, HELD)

    execution = resumed["execution"]
    assert (execution["status"], execution["waitReason"]) == ("WAITING", "DELAY")
    assert execution["resumesAt"] == later


async def test_pausing_and_resuming_again_change_nothing(api: Api) -> None:
    given = {"id": await start(api, await make_workflow(api))}

    answers = [
        await api.mutate(field, given, HELD)
        for field in ("pauseExecution", "pauseExecution", "resumeExecution", "resumeExecution")
    ]

    assert [each["errors"] for each in answers] == [[], [], [], []]
    assert answers[0]["execution"]["status"] == answers[1]["execution"]["status"] == "PAUSED"
    assert answers[2] == answers[3]


async def test_each_mutation_of_one_request_shows_what_is_true_after_it(api: Api) -> None:
    document = """mutation ($id: ID!) {
      a: pauseExecution(input: {id: $id}) { execution { status } }
      b: resumeExecution(input: {id: $id}) { execution { status } }
      c: cancelExecution(input: {id: $id}) { execution { status } }
    }"""

    done = await api.run(document, id=await start(api, await make_workflow(api)))

    shown = [done[name]["execution"]["status"] for name in "abc"]
    assert shown == ["PAUSED", "PENDING", "CANCELLED"]


@pytest.mark.parametrize("field", ["pauseExecution", "resumeExecution"])
async def test_what_is_done_is_neither_held_nor_let_go(field: str, api: Api) -> None:
    given = {"id": await start(api, await make_workflow(api))}
    await api.mutate("cancelExecution", given, "errors { code }")

    payload = await api.mutate(field, given, HELD)

    assert payload == {
        "execution": None,
        "errors": [{"code": "INVALID_STATE", "path": ["input", "id"]}],
    }


async def test_a_delay_tells_when_it_ends(api: Api, worker: Runner) -> None:
    settle = {"name": "settle", "config": {"delay": {"durationSeconds": 60}}}
    execution_id = await start(
        api, await make_workflow(api, steps=[settle], variables=[]), input={}
    )
    await reach(api, execution_id, "WAITING")
    document = (
        "query ($id: ID!) { execution(id: $id) { waitReason resumesAt"
        " steps { status wakesAt pendingDecision { choices } decision { choice } } } }"
    )

    shown = (await api.run(document, id=execution_id))["execution"]

    end = "2026-09-01T12:01:30Z"
    assert (shown["waitReason"], shown["resumesAt"]) == ("DELAY", end)
    waiting = {"status": "WAITING", "wakesAt": end, "pendingDecision": None, "decision": None}
    assert shown["steps"] == [waiting]


async def test_an_execution_tells_until_when_it_must_have_ended(api: Api) -> None:
    workflow_id = await make_workflow(api, executionTimeoutSeconds=60)
    bounded, free = await start(api, workflow_id), await start(api, await make_workflow(api))
    document = (
        "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on WorkflowExecution { deadlineAt } } }"
    )

    found = await api.run(document, ids=[bounded, free])

    assert found["nodes"] == [{"deadlineAt": "2026-09-01T12:01:30Z"}, {"deadlineAt": None}]
