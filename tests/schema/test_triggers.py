"""Proves that triggers are made, shown, changed, rotated, run and deleted through the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptpilot.errors import SignatureInvalid
from tests.schema.api import Api
from tests.schema.calls import GITHUB, send_call
from tests.schema.documents import SHOWN, create_trigger, make_trigger, make_workflow

FIRINGS = """
query ($id: ID!, $w: TriggerFiringFilter) { trigger(id: $id) { lastTriggeredAt
  firings(where: $w) { edges { cursor } nodes {
    outcome dedupeKey payload createdAt scheduledFor trigger { id } execution { status }
    verification { scheme isVerified failureCode usedPreviousSecret } error { code }
  } }
  executions { nodes { triggerType trigger { id } firing { outcome } } totalCount }
} }
"""


async def test_a_webhook_trigger_tells_where_to_send_and_its_secret_once(api: Api) -> None:
    payload = await create_trigger(api, {"webhook": {}})

    trigger = payload["trigger"]
    config = trigger["config"]
    assert payload["secret"].startswith("whsec_")
    assert config["receiveUrl"] == f"https://pilot.example.org/api/webhooks/{trigger['id']}"
    assert (config["scheme"], config["toleranceSeconds"]) == ("STANDARD", 300)
    assert payload["secret"] not in json.dumps(trigger)


async def test_a_manual_trigger_has_a_button_and_no_secret(api: Api) -> None:
    payload = await create_trigger(api, {"manual": {"buttonLabel": "Go"}})

    assert payload["secret"] is None
    assert payload["trigger"]["config"] == {
        "__typename": "ManualTriggerConfig",
        "buttonLabel": "Go",
    }
    assert (payload["trigger"]["type"], payload["trigger"]["nextRunAt"]) == ("MANUAL", None)


@pytest.mark.parametrize("config", [{}, {"manual": {}, "api": {}}])
async def test_a_trigger_has_exactly_one_type(config: dict[str, Any], api: Api) -> None:
    given = {"workflowId": await make_workflow(api), "name": "On issue", "config": config}
    document = "mutation ($i: CreateTriggerInput!) { createTrigger(input: $i) { trigger { id } } }"

    error = await api.refused(document, i=given)

    assert "exactly one" in error.message.lower()


async def test_a_wrong_mapping_is_named(api: Api) -> None:
    payload = await create_trigger(api, {"webhook": {"inputMapping": {"title": ["payload"]}}})

    path = ".".join(payload["errors"][0]["path"])
    assert path == "input.config.webhook.inputMapping.title"
    assert payload["trigger"] is None


async def test_a_change_leaves_what_it_does_not_name(api: Api) -> None:
    made = (await create_trigger(api, {"webhook": GITHUB}))["trigger"]
    change = {"id": made["id"], "expectedRevision": 1, "isActive": False}

    payload = await api.mutate("updateTrigger", change, f"trigger {{ {SHOWN} }} secret")

    assert payload["secret"] is None
    assert payload["trigger"] == {**made, "isActive": False, "revision": 2}


async def test_a_config_of_another_type_changes_the_type(api: Api) -> None:
    made = (await create_trigger(api, {"manual": {}}))["trigger"]
    change = {"id": made["id"], "config": {"webhook": {}}}

    payload = await api.mutate("updateTrigger", change, "trigger { type } secret")

    assert payload["trigger"]["type"] == "WEBHOOK"
    assert payload["secret"].startswith("whsec_")


async def test_a_rotated_secret_goes_on_working_for_a_while(api: Api) -> None:
    made = await create_trigger(api, {"webhook": {}})

    payload = await api.mutate(
        "rotateTriggerSecret",
        {"id": made["trigger"]["id"], "graceSeconds": 60},
        f"trigger {{ {SHOWN} }} secret",
    )

    assert payload["secret"] != made["secret"]
    assert payload["trigger"]["config"]["previousSecretValidUntil"] == "2026-09-01T12:01:30Z"


async def test_a_trigger_is_run_by_hand(api: Api) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})
    run = {"id": trigger_id, "input": {"title": "A bug"}, "idempotencyKey": "k"}

    payloads = [
        await api.mutate("runTrigger", run, "execution { id } isNew errors { code }")
        for _ in range(2)
    ]

    found = (await api.run(FIRINGS, id=trigger_id))["trigger"]
    assert [payload["isNew"] for payload in payloads] == [True, False]
    assert payloads[0]["execution"] == payloads[1]["execution"]
    assert found["executions"]["totalCount"] == 1
    assert found["executions"]["nodes"][0]["firing"]["outcome"] == "STARTED"
    assert found["lastTriggeredAt"] == "2026-09-01T12:00:30Z"


async def test_a_run_by_hand_shows_who_did_it(api: Api) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})
    selection = "execution { startedBy { email } firing { actor { email } } }"
    run = {"id": trigger_id, "input": {"title": "A bug"}}

    payload = await api.mutate("runTrigger", run, selection)

    ada = {"email": "ada@example.org"}
    assert payload["execution"] == {"startedBy": ada, "firing": {"actor": ada}}


async def test_a_run_with_bad_input_says_what_to_change(api: Api) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})

    payload = await api.mutate(
        "runTrigger", {"id": trigger_id}, "execution { id } errors { code path }"
    )

    assert payload["execution"] is None
    assert payload["errors"] == [{"code": "REQUIRED", "path": ["input", "input", "title"]}]


async def test_a_call_is_shown_with_its_verdict(api: Api) -> None:
    trigger_id = (await create_trigger(api, {"webhook": GITHUB}))["trigger"]["id"]
    await send_call(api, trigger_id)

    firing = (await api.run(FIRINGS, id=trigger_id))["trigger"]["firings"]["nodes"][0]

    assert (firing["outcome"], firing["payload"]) == ("STARTED", {"issue": {"title": "A bug"}})
    assert firing["verification"] == {
        "scheme": "GITHUB",
        "isVerified": True,
        "failureCode": None,
        "usedPreviousSecret": False,
    }
    assert (firing["trigger"]["id"], firing["execution"]["status"]) == (trigger_id, "PENDING")


async def test_a_refused_call_is_shown_with_its_reason(api: Api) -> None:
    trigger_id = (await create_trigger(api, {"webhook": GITHUB}))["trigger"]["id"]
    with pytest.raises(SignatureInvalid):
        await send_call(api, trigger_id, "another secret of that length")

    found = (await api.run(FIRINGS, id=trigger_id))["trigger"]

    firing = found["firings"]["nodes"][0]
    assert (firing["outcome"], firing["execution"]) == ("REJECTED", None)
    assert firing["verification"]["failureCode"] == "SIGNATURE_MISMATCH"
    assert found["executions"]["totalCount"] == 0


async def test_firings_are_shown_by_outcome(api: Api) -> None:
    trigger_id = (await create_trigger(api, {"webhook": GITHUB}))["trigger"]["id"]
    await send_call(api, trigger_id)
    await send_call(api, trigger_id)

    for outcomes, count in ((["STARTED"], 1), (["DUPLICATE"], 1), (["MISSED"], 0), ([], 0)):
        found = await api.run(FIRINGS, id=trigger_id, w={"outcomes": outcomes})
        assert len(found["trigger"]["firings"]["nodes"]) == count


async def test_a_deleted_trigger_leaves_its_executions(api: Api) -> None:
    trigger_id = await make_trigger(api, await make_workflow(api), {"manual": {}})
    run = {"id": trigger_id, "input": {"title": "A bug"}}
    started = await api.mutate("runTrigger", run, "execution { id firing { id } }")

    deleted = await api.mutate("deleteTrigger", {"id": trigger_id}, "deletedId")

    document = "query ($id: ID!, $f: ID!) { execution(id: $id) { triggerType trigger { id } firing { id } } node(id: $f) { id } }"  # noqa: E501
    execution = started["execution"]
    found = await api.run(document, id=execution["id"], f=execution["firing"]["id"])
    assert deleted == {"deletedId": trigger_id}
    shown = {"triggerType": "MANUAL", "trigger": None, "firing": None}
    assert found == {"execution": shown, "node": None}


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({}, 2),
        ({"types": ["MANUAL"]}, 1),
        ({"types": []}, 0),
        ({"types": ["EVENT"]}, 0),
        ({"isActive": True}, 2),
        ({"isActive": False}, 0),
    ],
)
async def test_triggers_of_a_workflow_are_filtered(
    where: dict[str, Any], count: int, api: Api
) -> None:
    workflow_id = await make_workflow(api)
    await make_trigger(api, workflow_id, {"manual": {}})
    await make_trigger(api, workflow_id, {"webhook": {}})
    document = (
        "query ($id: ID!, $w: WorkflowTriggerFilter) { workflow(id: $id) { triggers(where: $w)"
        " { name } } }"
    )

    found = await api.run(document, id=workflow_id, w=where)

    assert len(found["workflow"]["triggers"]) == count
