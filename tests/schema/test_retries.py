"""Proves that finished executions run again through the API, and what they take over."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.runner import Runner
from tests.schema.api import Api
from tests.schema.documents import failing, make_workflow, start, step
from tests.schema.watching import finish

RETRIED = """execution { id status retryOf { id } } isNew
  errors { code message path ... on InvalidStateError { state } ... on NotFoundError { id } }"""
STEPS = """query ($id: ID!) { execution(id: $id) { status retryOf { id } workflowRevision steps {
  stepName status reusedFrom { id execution { id } } output
} } }"""


async def _fail(api: Api, **others: Any) -> str:
    execution_id = await start(api, await make_workflow(api, **failing()), **others)
    await finish(api, execution_id)
    return execution_id


async def test_a_retry_takes_over_what_was_done(api: Api, worker: Runner) -> None:
    execution_id = await _fail(api)

    payload = await api.mutate("retryExecution", {"id": execution_id}, RETRIED)

    new_id = payload["execution"]["id"]
    await finish(api, new_id)
    take, wrong, _ = (await api.run(STEPS, id=new_id))["execution"]["steps"]
    taken_over = ids.step_execution_id(execution_id, "0")
    assert (payload["isNew"], payload["errors"]) == (True, [])
    assert payload["execution"]["retryOf"] == {"id": execution_id}
    assert take["reusedFrom"] == {"id": taken_over, "execution": {"id": execution_id}}
    assert (take["status"], take["output"]) == ("COMPLETED", {"value": 2})
    assert (wrong["status"], wrong["reusedFrom"]) == ("FAILED", None)


async def test_a_retry_from_the_first_step_takes_nothing_over(api: Api, worker: Runner) -> None:
    given = {"id": await _fail(api), "fromStepName": "take"}

    payload = await api.mutate("retryExecution", given, RETRIED)

    new_id = payload["execution"]["id"]
    await finish(api, new_id)
    steps = (await api.run(STEPS, id=new_id))["execution"]["steps"]
    assert [each["reusedFrom"] for each in steps] == [None, None, None]


async def test_a_retry_may_run_the_workflow_as_it_is_now(api: Api, worker: Runner) -> None:
    workflow_id = await make_workflow(api, **failing())
    execution_id = await start(api, workflow_id)
    await finish(api, execution_id)
    mended = [step("take"), step("wrong"), step("other")]
    await api.mutate("updateWorkflow", {"id": workflow_id, "steps": mended}, "errors { code }")

    given = {"id": execution_id, "useNewestVersion": True}
    payload = await api.mutate("retryExecution", given, RETRIED)

    await finish(api, payload["execution"]["id"])
    shown = (await api.run(STEPS, id=payload["execution"]["id"]))["execution"]
    assert (shown["status"], shown["workflowRevision"]) == ("COMPLETED", 2)


async def test_the_same_key_retries_once(api: Api, worker: Runner) -> None:
    given = {"id": await _fail(api), "idempotencyKey": "again"}

    first, second = [await api.mutate("retryExecution", given, RETRIED) for _ in range(2)]
    other = await api.mutate("retryExecution", {**given, "fromStepName": "take"}, RETRIED)

    assert (first["isNew"], second["isNew"]) == (True, False)
    assert first["execution"]["id"] == second["execution"]["id"]
    assert (other["execution"], other["isNew"]) == (None, False)
    assert other["errors"][0]["code"] == "IDEMPOTENCY_MISMATCH"


async def test_a_retry_from_a_step_that_there_is_not_is_named(api: Api, worker: Runner) -> None:
    given = {"id": await _fail(api), "fromStepName": "nowhere"}

    payload = await api.mutate("retryExecution", given, RETRIED)

    assert (payload["execution"], payload["isNew"]) == (None, False)
    assert payload["errors"][0]["code"] == "INVALID_INPUT"
    assert payload["errors"][0]["path"] == ["input", "fromStepName"]


async def test_what_the_newest_version_misses_is_named(api: Api, worker: Runner) -> None:
    workflow_id = await make_workflow(api, **failing())
    execution_id = await start(api, workflow_id)
    await finish(api, execution_id)
    variables = [{"name": "title"}, {"name": "body", "isRequired": True}]
    await api.mutate(
        "updateWorkflow", {"id": workflow_id, "variables": variables}, "errors { code }"
    )

    given = {"id": execution_id, "useNewestVersion": True}
    payload = await api.mutate("retryExecution", given, RETRIED)

    assert payload["execution"] is None
    assert payload["errors"][0]["code"] == "REQUIRED"
    assert payload["errors"][0]["path"] == ["input", "useNewestVersion", "body"]


async def test_a_deleted_workflow_runs_again_as_it_was_alone(api: Api, worker: Runner) -> None:
    workflow_id = await make_workflow(api, **failing())
    execution_id = await start(api, workflow_id)
    await finish(api, execution_id)
    await api.mutate("deleteWorkflow", {"id": workflow_id}, "errors { code }")

    given = {"id": execution_id}
    newest = await api.mutate("retryExecution", {**given, "useNewestVersion": True}, RETRIED)
    same = await api.mutate("retryExecution", given, RETRIED)

    assert newest["errors"][0]["state"] == "DELETED"
    assert newest["errors"][0]["path"] == ["input", "useNewestVersion"]
    assert (same["errors"], same["isNew"]) == ([], True)


@pytest.mark.parametrize("key", ["", "\u0000", "x" * 256])
async def test_a_key_that_cannot_be_is_named(key: str, api: Api, worker: Runner) -> None:
    given = {"id": await _fail(api), "idempotencyKey": key}

    payload = await api.mutate("retryExecution", given, RETRIED)

    assert payload["errors"][0]["code"] == "INVALID_INPUT"
    assert payload["errors"][0]["path"] == ["input", "idempotencyKey"]


async def test_what_is_not_done_is_not_retried(api: Api) -> None:
    execution_id = await start(api, await make_workflow(api))

    payload = await api.mutate("retryExecution", {"id": execution_id}, RETRIED)

    error = payload["errors"][0]
    assert (error["code"], error["state"]) == ("INVALID_STATE", "PENDING")
    assert error["path"] == ["input", "id"]
