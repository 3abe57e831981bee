"""Somebody who has one of everything, all of it marked, so that a trace of it can be found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

from promptpilot import ids
from promptpilot.models import DeadLetter, Execution, Session, WebhookDelivery
from promptpilot.models.database import Database
from tests.schema.api import Api
from tests.schema.documents import SIMULATOR, decision, make_trigger, make_workflow, step
from tests.schema.rows import dead_letter_row
from tests.schema.watching import finish, reach
from tests.support.stored import dump_tables

Tables = Mapping[str, list[dict[str, Any]]]

#: Columns that say whose a row is.
_OWNING = (
    "workspace_id",
    "endpoint_id",
    "user_id",
    "owner_id",
    "execution_id",
    "workflow_id",
    "trigger_id",
)


async def settle(api: Api, mark: str) -> None:
    """Make one of everything for a caller; a worker must be running."""
    prompt = await api.mutate("createPrompt", _prompt(mark), "prompt { id } errors { message }")
    prompt_id = prompt["prompt"]["id"]
    await _credential(api, mark)
    endpoint = await api.mutate(
        "createWebhookEndpoint", _endpoint(mark), "webhookEndpoint { id } errors { message }"
    )
    workflow_id = await make_workflow(api, **_workflow(mark, prompt_id))
    trigger_id = await make_trigger(api, workflow_id, {"event": {"eventType": f"{mark}.made"}})
    await make_trigger(api, workflow_id, {"webhook": {}})
    run = {"id": trigger_id, "input": {"title": f"{mark} title"}, "idempotencyKey": f"{mark}-key"}
    fired = await api.mutate("runTrigger", run, "execution { id } errors { message }")
    assert fired["errors"] == []
    await reach(api, fired["execution"]["id"], "WAITING")
    await _answer(api, fired["execution"]["id"], mark)
    await finish(api, fired["execution"]["id"])
    await _store_others(api, fired["execution"]["id"])
    await _deliver(api, endpoint["webhookEndpoint"]["id"], fired["execution"]["id"], mark)
    event = {"eventType": f"{mark}.made", "payload": {"title": f"{mark} payload"}}
    told = await api.mutate("dispatchEvent", event, "executions { id } errors { message }")
    await reach(api, told["executions"][0]["id"], "WAITING")


def _prompt(mark: str) -> dict[str, Any]:
    texts = {name: f"{mark} {name}" for name in ("name", "content", "instructions", "description")}
    return {**texts, "tags": [f"{mark}-tag"], "metadata": {"note": f"{mark} note"}}


async def _credential(api: Api, mark: str) -> None:
    given = {"provider": "OPENAI", "label": f"{mark} label", "secret": f"sk-{mark}-{'x' * 32}"}
    made = await api.mutate("createModelCredential", given, "errors { message }")
    await api.mutate("rotateSigningSecret", {}, "secret")
    await api.mutate("createAccessToken", {"label": f"{mark} token"}, "accessToken { id }")
    assert made["errors"] == []


def _endpoint(mark: str) -> dict[str, Any]:
    return {
        "url": f"https://example.org/{mark}",
        "description": f"{mark} endpoint",
        "eventTypes": ["EXECUTION_COMPLETED"],
    }


async def _deliver(api: Api, endpoint_id: str, execution_id: str, mark: str) -> None:
    """Store a delivery as it is before it is sent."""
    assert api.principal is not None
    now = api.engine.clock.now()
    await WebhookDelivery.create(
        id=ids.new_id(ids.Kind.WEBHOOK_DELIVERY),
        workspace_id=api.principal.workspace_id,
        endpoint_id=endpoint_id,
        execution_id=execution_id,
        event_seq=1,
        event_type="execution.completed",
        status="PENDING",
        body=f'"{mark} body"',
        ready_at=now,
        created_at=now,
    )


def _workflow(mark: str, prompt_id: str) -> dict[str, Any]:
    call = {
        "url": "https://example.org/{{ input.title }}",
        "headers": [{"name": "x-key", "value": f"{mark} secret", "isSecret": True}],
    }
    ask = decision(question=f"{mark} question")
    ask["config"]["decision"]["choices"][1].pop("nextStepName")
    return {
        "name": f"{mark} workflow",
        "description": f"{mark} description",
        "tags": [f"{mark}-tag"],
        "metadata": {"note": f"{mark} note"},
        "variables": [{"name": "title", "description": f"{mark} variable"}],
        "steps": [
            step("take", config={"transform": {"set": {"title": f'"{mark} output"'}}}),
            {"name": "say", "config": {"prompt": {"promptId": prompt_id, "models": [SIMULATOR]}}},
            ask,
            {"name": "call", "config": {"webhook": call}, "runIf": "false"},
        ],
    }


async def _answer(api: Api, execution_id: str, mark: str) -> None:
    document = "query ($id: ID!) { execution(id: $id) { steps { id stepType } } }"
    steps = (await api.run(document, id=execution_id))["execution"]["steps"]
    (asked,) = [each["id"] for each in steps if each["stepType"] == "DECISION"]
    given = {"stepExecutionId": asked, "choice": "approve", "comment": f"{mark} comment"}
    done = await api.mutate("submitDecision", given, "errors { message }")
    assert done["errors"] == []


async def _store_others(api: Api, execution_id: str) -> None:
    """Store what a test cannot have made by the API alone."""
    assert api.principal is not None
    now = api.engine.clock.now()
    await DeadLetter.bulk_create([dead_letter_row(await Execution.get(id=execution_id))])
    await Session.create(
        id=ids.new_id(ids.Kind.SESSION),
        user_id=api.principal.user_id,
        refreshed_at=now,
        created_at=now,
        expires_at=now + timedelta(days=1),
    )


async def ids_but(database: Database, known: Collection[str]) -> dict[ids.Kind, str]:
    """Return an id of each kind that is in the database and is none of the known ones."""
    found: defaultdict[ids.Kind, list[str]] = defaultdict(list)
    for text in await all_texts(database):
        kind = ids.kind_of(text)
        if kind is not None and text not in known:
            found[kind].append(text)
    asked = (await Execution.filter(id__in=found[ids.Kind.EXECUTION]).order_by("-created_at"))[0]
    found[ids.Kind.STEP_EXECUTION] = [ids.step_execution_id(asked.id, "2")]
    return {kind: each[0] for kind, each in found.items()}


async def all_texts(database: Database) -> list[str]:
    """Return every text that the database holds."""
    return [*_texts(await dump_tables(database))]


def _texts(tables: Tables) -> Iterator[str]:
    for rows in tables.values():
        for row in rows:
            yield from (value for value in row.values() if isinstance(value, str))


def rows_of(tables: Tables, owners: Collection[str]) -> list[tuple[str, str]]:
    """Return the rows that belong to any of these owners, with their table, sorted."""
    return sorted(
        (table, repr(sorted(row.items())))
        for table, rows in tables.items()
        for row in rows
        if any(row.get(column) in owners for column in (*_OWNING, "id"))
    )
