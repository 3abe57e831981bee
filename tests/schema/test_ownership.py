"""Proves that nobody sees or touches what is another's, and cannot tell it from what is not."""

from __future__ import annotations

from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.errors import Unauthenticated
from promptpilot.models import DeadLetter, Execution, WebhookEndpoint
from tests.schema.api import Api
from tests.schema.documents import make_trigger, make_workflow, start
from tests.schema.rows import dead_letter_row
from tests.support.endpoints import stored_delivery

NODE = "query ($id: ID!) { node(id: $id) { id __typename } }"
PARTS = """query ($id: ID!) { workflow(id: $id) {
  steps { id } variables { id } triggers { id firings { nodes { id } } }
} }"""


async def _everything(api: Api) -> dict[str, str]:
    """Make one object of every type; return type -> id."""
    workflow_id = await make_workflow(api)
    trigger_id = await make_trigger(api, workflow_id, {"manual": {}})
    run = {"id": trigger_id, "input": {"title": "A bug"}}
    fired = await api.mutate("runTrigger", run, "execution { id steps { id } firing { id } }")
    token = await api.mutate("createAccessToken", {"label": "ci"}, "accessToken { id }")
    parts = (await api.run(PARTS, id=workflow_id))["workflow"]
    named = {"name": "Greeting", "content": "Hi"}
    prompt = await api.mutate("createPrompt", named, "prompt { id currentVersion { id } }")
    told = {"url": "https://example.org", "eventTypes": ["EXECUTION_FAILED"]}
    endpoint = await api.mutate("createWebhookEndpoint", told, "webhookEndpoint { id }")
    delivery = await stored_delivery(await WebhookEndpoint.get())
    letter = dead_letter_row(await Execution.get(id=fired["execution"]["id"]))
    await DeadLetter.bulk_create([letter])
    return {
        "Workflow": workflow_id,
        "WorkflowStep": parts["steps"][0]["id"],
        "WorkflowVariable": parts["variables"][0]["id"],
        "WorkflowTrigger": trigger_id,
        "TriggerFiring": fired["execution"]["firing"]["id"],
        "WorkflowExecution": fired["execution"]["id"],
        "WorkflowStepExecution": fired["execution"]["steps"][0]["id"],
        "Prompt": prompt["prompt"]["id"],
        "PromptVersion": prompt["prompt"]["currentVersion"]["id"],
        "DeadLetter": letter.id,
        "WebhookEndpoint": endpoint["webhookEndpoint"]["id"],
        "WebhookDelivery": delivery.id,
        "AccessToken": token["accessToken"]["id"],
        "User": (await api.run("{ viewer { id } }"))["viewer"]["id"],
    }


async def test_every_object_is_found_by_its_id(api: Api) -> None:
    made = await _everything(api)

    found = await api.run(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }", ids=list(made.values())
    )

    assert found["nodes"] == [{"id": its_id, "__typename": name} for name, its_id in made.items()]


async def test_a_stranger_finds_none_of_them(api: Api, stranger: Principal) -> None:
    made = await _everything(api)
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    for caller in (stranger, None):
        found = await api.seen_by(caller).run(document, ids=list(made.values()))
        assert found["nodes"] == [None] * len(made)


async def test_a_strangers_lists_are_empty(api: Api, stranger: Principal) -> None:
    await _everything(api)

    found = await api.seen_by(stranger).run(
        "{ workflows { nodes { id } totalCount } executions { nodes { id } totalCount }"
        " deadLetters { nodes { id } totalCount } accessTokens { id } signingSecret { preview } }"
    )

    nothing = {"nodes": [], "totalCount": 0}
    lists = {"workflows": nothing, "executions": nothing, "deadLetters": nothing}
    assert found == {**lists, "accessTokens": [], "signingSecret": None}


MUTATIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("updateWorkflow", "Workflow", {"name": "Mine"}),
    ("duplicateWorkflow", "Workflow", {}),
    ("deleteWorkflow", "Workflow", {"cancelRunning": True}),
    ("updateTrigger", "WorkflowTrigger", {"name": "Mine"}),
    ("rotateTriggerSecret", "WorkflowTrigger", {}),
    ("deleteTrigger", "WorkflowTrigger", {}),
    ("runTrigger", "WorkflowTrigger", {}),
    ("cancelExecution", "WorkflowExecution", {}),
    ("pauseExecution", "WorkflowExecution", {}),
    ("resumeExecution", "WorkflowExecution", {}),
    ("retryExecution", "WorkflowExecution", {"fromStepName": "take"}),
    ("revokeAccessToken", "AccessToken", {}),
]


async def test_a_stranger_changes_nothing_and_is_told_what_an_unknown_id_is_told(
    api: Api, stranger: Principal
) -> None:
    made = await _everything(api)
    selection = "errors { __typename code message path ... on NotFoundError { id } }"

    for field, kind, others in MUTATIONS:
        known, unknown = made[kind], _other(made[kind])
        told = [
            (await api.seen_by(stranger).mutate(field, {"id": asked, **others}, selection))[
                "errors"
            ]
            for asked in (known, unknown)
        ]
        assert [error["__typename"] for errors in told for error in errors] == 2 * ["NotFoundError"]
        assert told[0][0] == {**told[1][0], "id": known}


async def test_anothers_workflow_gets_neither_triggers_nor_events(
    api: Api, stranger: Principal
) -> None:
    workflow_id = await make_workflow(api)
    trigger = {"workflowId": workflow_id, "name": "Mine", "config": {"api": {}}}
    event = {"workflowId": workflow_id, "eventType": "order.created", "payload": {}}
    theirs = api.seen_by(stranger)

    made = await theirs.mutate("createTrigger", trigger, "secret errors { code path }")
    told = await theirs.mutate("dispatchEvent", event, "executions { id } errors { code path }")

    errors = [{"code": "NOT_FOUND", "path": ["input", "workflowId"]}]
    assert made == {"secret": None, "errors": errors}
    assert told == {"executions": [], "errors": errors}


async def test_starting_anothers_workflow_finds_nothing(api: Api, stranger: Principal) -> None:
    workflow_id = await make_workflow(api)

    payload = await api.seen_by(stranger).mutate(
        "startExecution", {"workflowId": workflow_id}, "execution { id } isNew errors { code path }"
    )

    assert payload["execution"] is None
    assert payload["errors"] == [{"code": "NOT_FOUND", "path": ["input", "workflowId"]}]


def _other(id: str) -> str:
    kind = ids.kind_of(id)
    assert kind is not None
    return ids.new_id(kind)


@pytest.mark.parametrize(
    "id",
    ["", "1", "wf_", "wf_nonsense", "sx_\u0000", "ex_" + "7" * 26, "wf_" + "é" * 26, "x" * 9999],
)
async def test_a_malformed_id_is_nothing_and_no_error(id: str, api: Api) -> None:
    document = (
        "query ($id: ID!) { node(id: $id) { id } workflow(id: $id) { id } trigger(id: $id) { id }"
        " execution(id: $id) { id } }"
    )

    found = await api.run(document, id=id)

    assert set(found.values()) == {None}


async def test_more_than_a_hundred_nodes_are_refused(api: Api) -> None:
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    refused = await api.refused(document, ids=["wf_1"] * 101)

    assert "at most 100 ids at once, not 101" in refused.message


@pytest.mark.parametrize(
    "selection",
    [
        "accessTokens { id }",
        'workflow(id: "wf_1") { id }',
        'trigger(id: "trg_1") { id }',
        'execution(id: "ex_1") { id }',
        "workflows { nodes { id } }",
        "executions { nodes { id } }",
        "deadLetters { nodes { id } }",
        "signingSecret { preview }",
    ],
)
async def test_who_is_not_signed_in_is_told_to(selection: str, api: Api) -> None:
    refused = await api.seen_by(None).refused(f"{{ {selection} }}")

    assert isinstance(refused.original_error, Unauthenticated)


async def test_a_mutation_without_a_caller_is_an_error_of_the_request(api: Api) -> None:
    document = 'mutation { cancelExecution(input: {id: "ex_1"}) { errors { code } } }'

    refused = await api.seen_by(None).refused(document)

    assert isinstance(refused.original_error, Unauthenticated)


async def test_anybody_may_ask_who_they_are_and_what_the_server_is(api: Api) -> None:
    found = await api.seen_by(None).run(
        "{ viewer { id } serverInfo { version limits { maxPageSize maxQueryDepth maxSteps"
        " maxInputBytes maxInlineOutputBytes }"
        " providers { provider name isEnabled isConfigured models } } }"
    )

    assert found["viewer"] is None
    limits = found["serverInfo"]["limits"]
    assert (limits["maxPageSize"], limits["maxInlineOutputBytes"]) == (100, 65_536)
    enabled = {each["provider"] for each in found["serverInfo"]["providers"] if each["isEnabled"]}
    assert enabled == {each.value for each in ModelProvider}


async def test_executions_of_anothers_workflow_are_not_listed(
    api: Api, stranger: Principal
) -> None:
    workflow_id = await make_workflow(api)
    await start(api, workflow_id)
    document = "query ($ids: [ID!]) { executions(where: {workflowIds: $ids}) { nodes { id } } }"

    mine = await api.run(document, ids=[workflow_id])
    theirs = await api.seen_by(stranger).run(document, ids=[workflow_id])

    assert (len(mine["executions"]["nodes"]), theirs["executions"]["nodes"]) == (1, [])
