"""An event tells the caller's EVENT triggers that listen, once for each key."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot.engine.drafts import EventConfig, TriggerDraft
from promptpilot.models import Execution, Firing, PlatformEvent
from tests.rest.conftest import Site, count_executions

_ORDER = {"eventType": "order.created", "payload": {"total": 120}}


async def listen(site: Site, event_type: str = "order.*", **config: Any) -> str:
    """Make an EVENT trigger of the example; return its id."""
    settings = EventConfig(
        event_type=event_type, input_mapping={"payload": "event.payload"}, **config
    )
    draft = TriggerDraft(workflow_id=site.workflow_id, name=event_type, config=settings)
    trigger, _ = await site.engine.create_trigger(site.principal, draft)
    return trigger.id


async def test_an_event_starts_one_execution_for_each_trigger_that_listens(site: Site) -> None:
    for event_type in ("order.*", "order.created", "order.paid", "orders.*"):
        await listen(site, event_type)

    response = await site.post("/api/events", json=_ORDER)

    answer = response.json()
    assert (response.status_code, answer["count"], answer["duplicate"]) == (202, 2, False)
    executions = await Execution.filter(id__in=answer["executionIds"])
    assert [each.input for each in executions] == [{"payload": {"total": 120}}] * 2
    assert (await PlatformEvent.get()).id == answer["eventId"]


async def test_nobody_need_listen(site: Site) -> None:
    response = await site.post("/api/events", json=_ORDER)

    assert response.status_code == 202
    assert (response.json()["count"], response.json()["executionIds"]) == (0, [])


async def test_a_filter_that_says_no_is_on_record(site: Site) -> None:
    trigger_id = await listen(site, filter="event.payload.total > 200")

    response = await site.post("/api/events", json=_ORDER)

    assert response.json()["count"] == 0
    firing = await Firing.get()
    assert (firing.trigger_id, firing.outcome) == (trigger_id, "FILTERED")


@pytest.mark.parametrize("place", ["header", "body"])
async def test_the_same_key_starts_once(site: Site, place: str) -> None:
    await listen(site)
    headers = {"idempotency-key": "k-1"} if place == "header" else {}
    body = _ORDER if place == "header" else {**_ORDER, "idempotencyKey": "k-1"}

    answers = [
        (await site.post("/api/events", json=body, headers=headers)).json() for _ in range(2)
    ]

    assert [answer["duplicate"] for answer in answers] == [False, True]
    assert answers[0]["executionIds"] == answers[1]["executionIds"]
    assert await count_executions() == 1


async def test_another_event_under_the_same_key_is_a_conflict(site: Site) -> None:
    headers = {"idempotency-key": "k-1"}
    await site.post("/api/events", json=_ORDER, headers=headers)

    other = {**_ORDER, "eventType": "order.paid"}
    response = await site.post("/api/events", json=other, headers=headers)

    assert response.status_code == 409
    error = response.json()["error"]
    assert (error["code"], error["details"][0]["path"]) == (
        "IDEMPOTENCY_MISMATCH",
        "idempotencyKey",
    )


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("{}", ["eventType", "payload"]),
        ("[]", ["body"]),
        ("", ["body"]),
        ('{"eventType": 1, "payload": {}}', ["eventType"]),
        ('{"eventType": "a", "payload": []}', ["payload"]),
        ('{"eventType": "a b", "payload": {}}', ["eventType"]),
        ('{"eventType": "execution.failed", "payload": {}}', ["eventType"]),
        ('{"eventType": "a", "payload": {}, "dedupeKey": "k"}', ["dedupeKey"]),
        ('{"eventType": "a", "payload": {}, "idempotencyKey": "other"}', ["idempotencyKey"]),
    ],
)
async def test_what_is_wrong_with_an_event_is_named(
    site: Site, body: str, paths: list[str]
) -> None:
    headers = {"idempotency-key": "k-1"}

    response = await site.post("/api/events", content=body.encode(), headers=headers)

    assert response.status_code == 400
    assert [each["path"] for each in response.json()["error"]["details"]] == paths
    assert await PlatformEvent.all().count() == 0


async def test_the_workflow_of_another_is_not_found(site: Site) -> None:
    other = await site.engine.register("other@example.org", "correct horse battery staple")
    headers = {"authorization": f"Bearer {other.token}"}
    body = {**_ORDER, "workflowId": site.workflow_id}

    response = await site.client.post("/api/events", json=body, headers=headers)

    assert response.status_code == 404
    assert response.json()["error"]["details"][0]["path"] == "workflowId"


async def test_events_of_others_are_not_heard(site: Site) -> None:
    await listen(site)
    other = await site.engine.register("other@example.org", "correct horse battery staple")
    headers = {"authorization": f"Bearer {other.token}"}

    response = await site.client.post("/api/events", json=_ORDER, headers=headers)

    assert response.json()["count"] == 0
    assert await Firing.all().count() == 0


async def test_a_stranger_is_told_to_sign_in(site: Site) -> None:
    response = await site.client.post("/api/events", json=_ORDER)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_payload_over_the_limit_is_refused(site: Site) -> None:
    body = {**_ORDER, "payload": {"text": "x" * 300_000}}

    response = await site.post("/api/events", json=body)

    assert response.status_code == 413
