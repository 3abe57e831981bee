"""Workflows and triggers start by plain HTTP, for whoever may start them, once for each key."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from promptpilot.engine.drafts import ManualConfig, TriggerDraft, WorkflowChange
from promptpilot.models import Execution, Firing
from tests.rest.conftest import Site, count_executions
from tests.support.finished import finished

_INPUT = {"payload": {"issue": {"title": "A", "body": "B", "user": {"login": "c"}}}}


def _paths(response: Any) -> list[str]:
    return [detail["path"] for detail in response.json()["error"]["details"]]


def _workflow(site: Site) -> str:
    return f"/api/workflows/{site.workflow_id}/execute"


def _trigger(site: Site) -> str:
    return f"/api/triggers/{site.owner.trigger_id}/execute"


async def test_a_workflow_starts_with_its_input(site: Site) -> None:
    response = await site.post(_workflow(site), json={"input": _INPUT})

    assert response.status_code == 202
    answer = response.json()
    assert answer["id"] == answer["executionId"]
    assert (answer["workflowId"], answer["status"]) == (site.workflow_id, "PENDING")
    assert answer["input"] == _INPUT
    assert (await Execution.get(id=answer["id"])).input == _INPUT


async def test_the_input_may_be_called_variables(site: Site) -> None:
    response = await site.post(_workflow(site), json={"variables": _INPUT})

    assert response.json()["input"] == _INPUT


async def test_a_trigger_starts_by_hand(site: Site) -> None:
    response = await site.post(_trigger(site), json={"input": _INPUT})

    assert response.status_code == 200
    execution = await Execution.get(id=response.json()["executionId"])
    assert execution.trigger_id == site.owner.trigger_id


async def test_a_trigger_with_enough_input_of_its_own_needs_no_body(site: Site) -> None:
    drafted = TriggerDraft(
        workflow_id=site.workflow_id, name="Button", config=ManualConfig(), input=_INPUT
    )
    trigger, _ = await site.engine.create_trigger(site.principal, drafted)

    response = await site.post(f"/api/triggers/{trigger.id}/execute")

    assert response.status_code == 200
    assert response.json()["input"] == _INPUT


@pytest.mark.parametrize("path", [_workflow, _trigger])
async def test_the_same_key_starts_once(site: Site, path: Any) -> None:
    key = {"idempotency-key": "order-4711"}

    first = await site.post(path(site), json={"input": _INPUT}, headers=key)
    second = await site.post(path(site), json={"input": _INPUT}, headers=key)

    assert first.json()["id"] == second.json()["id"]
    assert await count_executions() == 1


@pytest.mark.parametrize("path", [_workflow, _trigger])
async def test_the_same_key_with_another_input_is_a_conflict(site: Site, path: Any) -> None:
    key = {"idempotency-key": "order-4711"}
    await site.post(path(site), json={"input": _INPUT}, headers=key)

    response = await site.post(path(site), json={"input": {"payload": {}}}, headers=key)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "IDEMPOTENCY_MISMATCH"


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b"{}", ["input"]),
        (b"[]", ["body"]),
        (b"", ["body"]),
        (b'{"input": 1}', ["input"]),
        (b'{"variables": []}', ["variables"]),
        (b'{"input": {}}', ["input.payload"]),
        (b'{"input": {"payload": 3}}', ["input.payload"]),
        (b'{"input": {"payload": {"x": "\\u0000"}}}', ["body.input.payload.x"]),
        (b"[" * 60_000, ["body"]),
        (b'{"input": {"payload": ' + b"9" * 6000 + b"}}", ["body"]),
    ],
)
async def test_bad_input_is_named_and_starts_nothing(
    site: Site, body: bytes, paths: list[str]
) -> None:
    response = await site.post(_workflow(site), content=body)

    assert response.status_code == 400
    assert _paths(response) == paths
    assert await count_executions() == 0


@pytest.mark.parametrize("path", [_workflow, _trigger])
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer \0"])
async def test_a_stranger_is_told_to_sign_in(site: Site, path: Any, authorization: str) -> None:
    headers = {"authorization": authorization}

    response = await site.client.post(path(site), json={"input": _INPUT}, headers=headers)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("kind", ["workflows", "triggers"])
async def test_what_belongs_to_others_is_not_found(site: Site, kind: str) -> None:
    other = await site.engine.register("other@example.org", "correct horse battery staple")
    headers = {"authorization": f"Bearer {other.token}"}
    own = {"workflows": site.workflow_id, "triggers": site.owner.trigger_id}[kind]

    for other_id in (own, "%00", "wf_1", "trg_00000000000000000000000000"):
        path = f"/api/{kind}/{other_id}/execute"
        response = await site.client.post(path, json={"input": _INPUT}, headers=headers)
        assert response.status_code == 404


async def test_a_workflow_that_is_off_does_not_start(site: Site) -> None:
    change = WorkflowChange(id=site.workflow_id, is_active=False)
    await site.engine.update_workflow(site.principal, change)

    response = await site.post(_workflow(site), json={"input": _INPUT})

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "WORKFLOW_INACTIVE"


async def test_an_input_over_the_limit_is_refused(site: Site) -> None:
    body = {"input": {"payload": {"text": "x" * 300_000}}}

    response = await site.post(_workflow(site), json=body)

    assert response.status_code == 413


async def test_an_execution_is_read_as_it_is_now(site: Site) -> None:
    started = (await site.post(_trigger(site), json={"input": _INPUT})).json()
    await site.engine.cancel_execution(site.principal, started["id"])

    path = f"/api/executions/{started['id']}"
    response = await site.client.get(path, headers=site.authorization)

    answer = response.json()
    assert (response.status_code, answer["status"], answer["output"]) == (200, "CANCELLED", None)
    assert answer["input"] == _INPUT
    assert answer["metadata"]["triggerId"] == site.owner.trigger_id
    assert answer["metadata"]["triggerType"] == "MANUAL"


async def test_an_output_that_was_cut_says_where_it_is_in_full(site: Site) -> None:
    output = {"text": "x" * 100_000}
    execution_id = await finished(site.backbone.committer, site.principal, output)

    path = f"/api/executions/{execution_id}"
    answer = (await site.client.get(path, headers=site.authorization)).json()

    whole = await site.client.get(httpx2.URL(answer["outputUrl"]).path, headers=site.authorization)
    assert whole.json() == output
    assert len(answer["output"]["text"]) < 10_000


@pytest.mark.parametrize("kind", ["", "/events", "/output"])
async def test_executions_of_others_are_not_found(site: Site, kind: str) -> None:
    execution_id = await finished(site.backbone.committer, site.principal, {"n": 1})
    other = await site.engine.register("other@example.org", "correct horse battery staple")
    headers = {"authorization": f"Bearer {other.token}"}

    for other_id in (execution_id, "%00", "exec_1", "x" * 300):
        path = f"/api/executions/{other_id}{kind}"
        response = await site.client.get(path, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_who_started_by_hand_is_on_record(site: Site) -> None:
    started = await site.post(_trigger(site), json={"input": _INPUT})

    firing = await Firing.get()
    assert (firing.actor_id, firing.outcome) == (site.principal.user_id, "STARTED")
    assert firing.execution_id == started.json()["executionId"]
    assert started.json()["duplicate"] is False
