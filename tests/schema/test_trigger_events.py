"""Proves that events are dispatched to the triggers that listen, and what came of them is shown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.schema.api import Api
from tests.schema.documents import create_trigger, make_trigger, make_workflow

MAPPED = {"eventType": "issue.*", "inputMapping": {"title": "event.payload.title"}}
OPENED: dict[str, Any] = {"eventType": "issue.opened", "payload": {"title": "A bug"}}
FIRINGS = """
query ($id: ID!) { trigger(id: $id) { firings { nodes {
  outcome dedupeKey payload error { code message } verification { scheme } execution { id }
} } } }
"""
TOLD = "executions { id input triggerType trigger { id } } isNew errors { code path }"


async def _listen(api: Api, **settings: Any) -> str:
    return str((await create_trigger(api, {"event": {**MAPPED, **settings}}))["trigger"]["id"])


async def _firings(api: Api, trigger_id: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = (await api.run(FIRINGS, id=trigger_id))["trigger"]["firings"][
        "nodes"
    ]
    return nodes


async def test_an_event_trigger_is_shown_as_it_was_made(api: Api) -> None:
    payload = await create_trigger(api, {"event": {**MAPPED, "filter": "event.payload.n > 1"}})

    trigger = payload["trigger"]
    assert (payload["secret"], trigger["type"], trigger["nextRunAt"]) == (None, "EVENT", None)
    assert trigger["config"] == {
        "__typename": "EventTriggerConfig",
        **MAPPED,
        "filter": "event.payload.n > 1",
    }


async def test_an_event_starts_what_listens(api: Api) -> None:
    trigger_id = await _listen(api)
    await _listen(api, eventType="issue.closed")

    payload = await api.mutate("dispatchEvent", OPENED, TOLD)

    (execution,) = payload["executions"]
    assert (payload["isNew"], payload["errors"]) == (True, [])
    assert (execution["trigger"]["id"], execution["triggerType"]) == (trigger_id, "EVENT")
    assert execution["input"] == {"title": "A bug"}
    (firing,) = await _firings(api, trigger_id)
    assert (firing["outcome"], firing["execution"]["id"]) == ("STARTED", execution["id"])


async def test_an_event_may_be_meant_for_one_workflow(api: Api) -> None:
    workflow_id = await make_workflow(api)
    trigger_id = await make_trigger(api, workflow_id, {"event": MAPPED})
    await _listen(api)

    payload = await api.mutate("dispatchEvent", {**OPENED, "workflowId": workflow_id}, TOLD)

    assert [each["trigger"]["id"] for each in payload["executions"]] == [trigger_id]


async def test_the_same_key_starts_once(api: Api) -> None:
    await _listen(api)
    event = {**OPENED, "idempotencyKey": "k"}

    first, second = [await api.mutate("dispatchEvent", event, TOLD) for _ in range(2)]

    assert (first["isNew"], second["isNew"]) == (True, False)
    assert first["executions"] == second["executions"]


async def test_another_event_under_the_same_key_is_refused(api: Api) -> None:
    await api.mutate("dispatchEvent", {**OPENED, "idempotencyKey": "k"}, TOLD)
    other = {**OPENED, "payload": {}, "idempotencyKey": "k"}

    payload = await api.mutate("dispatchEvent", other, TOLD)

    errors = [{"code": "IDEMPOTENCY_MISMATCH", "path": ["input", "idempotencyKey"]}]
    assert payload == {"executions": [], "isNew": False, "errors": errors}


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        ({"filter": "event.payload.title != 'A bug'"}, "FILTERED"),
        ({"filter": "event.payload.nothing > 1"}, "FILTERED"),
        ({"inputMapping": {}}, "REJECTED"),
        ({"inputMapping": {"title": "event.payload.nothing"}}, "REJECTED"),
    ],
)
async def test_what_an_event_does_not_start_is_on_record(
    settings: dict[str, Any], outcome: str, api: Api
) -> None:
    trigger_id = await _listen(api, **settings)

    payload = await api.mutate("dispatchEvent", OPENED, TOLD)

    (firing,) = await _firings(api, trigger_id)
    assert (payload["executions"], payload["errors"]) == ([], [])
    assert (firing["outcome"], firing["execution"]) == (outcome, None)


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"eventType": ""}, "eventType"),
        ({"eventType": "issue.*"}, "eventType"),
        ({"eventType": "execution.failed"}, "eventType"),
        ({"workflowId": "wf_nothing"}, "workflowId"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"payload": {"text": "x" * 300_000}}, "payload"),
    ],
)
async def test_what_is_wrong_with_an_event_is_named(
    wrong: dict[str, Any], path: str, api: Api
) -> None:
    payload = await api.mutate("dispatchEvent", {**OPENED, **wrong}, TOLD)

    assert [each["path"] for each in payload["errors"]] == [["input", path]]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"eventType": ""}, ["eventType"]),
        ({"eventType": "*"}, ["eventType"]),
        ({"eventType": "a.*.b"}, ["eventType"]),
        ({"filter": "event.payload.n >"}, ["filter"]),
        ({"filter": "payload.n > 1"}, ["filter"]),
        ({"inputMapping": {"nothing": "event"}}, ["inputMapping", "nothing"]),
        ({"inputMapping": {"title": "payload"}}, ["inputMapping", "title"]),
    ],
)
async def test_what_cannot_be_listened_for_is_named(
    wrong: dict[str, Any], path: list[str], api: Api
) -> None:
    payload = await create_trigger(api, {"event": {**MAPPED, **wrong}})

    assert payload["trigger"] is None
    assert [each["path"] for each in payload["errors"]] == [["input", "config", "event", *path]]
