"""Fills the server that is searched with objects of every kind."""

from __future__ import annotations

from typing import Any

from tests.story.owner import Owner, join
from tests.support.caller import Caller
from tests.support.waiting import wait_until

_MODEL = {"provider": "SIMULATOR", "model": "echo"}
_WORKFLOW = {
    "name": "Sought",
    "tags": ["a"],
    "variables": [{"name": "n", "dataType": "NUMBER"}, {"name": "sum", "kind": "OUTPUT"}],
    "steps": [
        {
            "name": "add",
            "config": {"transform": {"set": {"sum": "1 + 1"}}},
            "outputs": {"sum": "output.sum"},
        },
        {"name": "ask", "config": {"prompt": {"content": "Say {{ input }}", "models": [_MODEL]}}},
        {
            "name": "choose",
            "config": {"decision": {"mode": "MANUAL", "choices": [{"name": "a"}, {"name": "b"}]}},
        },
    ],
}
_FAILING = {
    "name": "Failing",
    "variables": [{"name": "n", "dataType": "NUMBER"}],
    "steps": [{"name": "fail", "config": {"transform": {"set": {"n": "1 / input.n"}}}}],
}
_TRIGGERS: list[dict[str, Any]] = [
    {"manual": {}},
    {"scheduled": {"cron": "0 0 1 1 *"}},
    {"webhook": {"scheme": "STANDARD"}},
    {"api": {}},
    {"event": {"eventType": "sought"}},
]
_IDS = """
{
  viewer { id }
  workflows { nodes { id steps { id } variables { id } triggers { id firings { nodes { id } } } } }
  executions { nodes { id steps { id } } }
  deadLetters { nodes { id } }
  prompts { nodes { id versions { nodes { id } } } }
  modelCredentials { id }
  auditLog { nodes { id } }
  webhookEndpoints { id }
}
"""
_ADDRESS = "http://127.0.0.1:9/"
_SCOPES = ["READ", "WRITE", "RUN", "SECRETS", "ACCESS"]
_WITHIN_SECONDS = 20.0


async def fill(caller: Caller) -> list[str]:
    """Make an account and objects of every kind in it; return their ids.

    The caller has an access token then, which outlives all sessions.
    """
    owner = await join(caller)
    waiting = await _workflow(owner, _WORKFLOW)
    failing = await _workflow(owner, _FAILING)
    await _library(owner)
    await _triggers(owner, waiting, _TRIGGERS)
    await _triggers(owner, failing, _TRIGGERS[-1:])
    await owner.change("dispatchEvent", "isNew", eventType="sought", payload={})
    for _ in range(2):
        await owner.change("startExecution", "isNew", workflowId=waiting)
    await wait_until(lambda: _has_settled(caller), _WITHIN_SECONDS)
    ids = _ids_in(await caller.ask(_IDS))
    made = await owner.change("createAccessToken", "token", label="search", scopes=_SCOPES)
    caller.token = made["token"]
    return ids


async def _workflow(owner: Owner, given: dict[str, Any]) -> str:
    made = await owner.change("createWorkflow", "workflow { id }", **given)
    return str(made["workflow"]["id"])


async def _triggers(owner: Owner, workflow_id: str, configs: list[dict[str, Any]]) -> None:
    for config in configs:
        (name,) = config
        given = {"workflowId": workflow_id, "name": name, "config": config, "input": {"n": 0}}
        await owner.change("createTrigger", "trigger { id }", **given)


async def _library(owner: Owner) -> None:
    """Make what workflows use and who is told of them."""
    prompt = await owner.change("createPrompt", "prompt { id }", name="P", content="Say {{ n }}.")
    await owner.change("updatePrompt", "prompt { id }", id=prompt["prompt"]["id"], content="Hush.")
    key = {"provider": "OPENAI_COMPATIBLE", "label": "l", "secret": "s3cret", "baseUrl": _ADDRESS}
    await owner.change("createModelCredential", "modelCredential { id }", **key)
    told = {"url": _ADDRESS, "eventTypes": ["EXECUTION_FAILED"]}
    await owner.change("createWebhookEndpoint", "webhookEndpoint { id }", **told)


async def _has_settled(caller: Caller) -> bool:
    """Tell whether something waits for a person and something has failed for good."""
    asked = """{
      waiting: executions(where: {waitReasons: [DECISION]}) { totalCount }
      deadLetters { totalCount }
    }"""
    return all(each["totalCount"] for each in (await caller.ask(asked)).values())


def _ids_in(found: Any) -> list[str]:
    if isinstance(found, list):
        return [each for item in found for each in _ids_in(item)]
    if not isinstance(found, dict):
        return []
    own = [found["id"]] if "id" in found else []
    return own + _ids_in(list(found.values()))
