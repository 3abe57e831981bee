"""The example "Triage a GitHub issue", made and used as people do: over GraphQL and HTTP."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.story.owner import Event, Owner, join
from tests.support.caller import Caller

PAYLOAD = (Path(__file__).parents[2] / "examples/github/issues.opened.json").read_bytes()
SECRET = "a secret that only GitHub and the server know"

#: Every change of a status, in order: an issue that tells of a crash.
WHOLE = [
    ("execution", "PENDING"),
    ("execution", "RUNNING"),
    ("extract", "RUNNING"),
    ("extract", "COMPLETED"),
    ("looks_like_a_bug", "RUNNING"),
    ("looks_like_a_bug", "COMPLETED"),
    ("summarise_bug", "RUNNING"),
    ("summarise_bug", "COMPLETED"),
    ("answer_question", "SKIPPED"),
    ("execution", "COMPLETED"),
]

_LATENCY_MS = 1000

_READ = """
query ($id: ID!) { execution(id: $id) {
  status input output trigger { name } firing { outcome dedupeKey verification { isVerified } }
  steps { stepName status input output attempts { number status } }
} }"""
_COUNT = """
query { executions { totalCount } }"""
_FIRINGS = """
query ($id: ID!) { node(id: $id) { ... on WorkflowTrigger { firings {
  nodes { outcome verification { isVerified failureCode } execution { id } }
} } } }"""


@dataclass(frozen=True)
class Triage:
    """The workflow with its webhook trigger, and its owner at the door. Take one from `sign_up`."""

    caller: Caller
    owner: Owner
    trigger_id: str

    async def deliver(self, delivery: str, secret: str = SECRET) -> httpx2.Response:
        """Send the issue as GitHub does, signed with `secret`."""
        digest = hmac.new(secret.encode(), PAYLOAD, hashlib.sha256).hexdigest()
        return await self.caller.post(
            f"/api/webhooks/{self.trigger_id}",
            PAYLOAD,
            content_type="application/json",
            user_agent="GitHub-Hookshot/044aadd",
            x_github_event="issues",
            x_github_delivery=delivery,
            x_hub_signature_256=f"sha256={digest}",
        )

    async def start(self, delivery: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958") -> str:
        """Send the issue and return the id of the execution that it started."""
        answer = await self.deliver(delivery)
        assert answer.status_code == httpx2.codes.OK, answer.text
        execution_id: str = answer.json()["executionId"]
        return execution_id

    def watch(self, execution_id: str, after: str | None = None) -> AsyncIterator[Event]:
        """Yield the events of an execution as they happen."""
        return self.owner.watch(execution_id, after)

    async def events(self, execution_id: str) -> list[Event]:
        """Return the stored events of an execution."""
        return await self.owner.events(execution_id)

    async def read(self, execution_id: str) -> dict[str, Any]:
        """Return an execution with its steps and their attempts."""
        found: dict[str, Any] = (await self.caller.ask(_READ, id=execution_id))["execution"]
        return found

    async def count(self) -> int:
        """Count the executions."""
        return int((await self.caller.ask(_COUNT))["executions"]["totalCount"])

    async def firings(self) -> list[dict[str, Any]]:
        """Return what became of each call, the newest first."""
        found = (await self.caller.ask(_FIRINGS, id=self.trigger_id))["node"]
        firings: list[dict[str, Any]] = found["firings"]["nodes"]
        return firings


async def sign_up(caller: Caller) -> Triage:
    """Register, sign in, and make the workflow and its trigger."""
    owner = await join(caller)
    made = await owner.change("createWorkflow", "workflow { id }", **_workflow())
    webhook = {
        "scheme": "GITHUB",
        "secret": SECRET,
        "inputMapping": {"issue": "payload.issue"},
    }
    trigger = await owner.change(
        "createTrigger",
        "trigger { id }",
        workflowId=made["workflow"]["id"],
        name="GitHub issues",
        config={"webhook": webhook},
    )
    return Triage(caller, owner, trigger["trigger"]["id"])


def _workflow() -> dict[str, Any]:
    values = {
        "title": "input.issue.title",
        "body": 'default(input.issue.body, "")',
        "author": "input.issue.user.login",
    }
    is_bug = {
        "condition": 'contains(lower(steps.extract.output.title), "crash")',
        "elseStepName": "answer_question",
    }
    return {
        "name": "Triage a GitHub issue",
        "variables": [
            {"name": "issue", "dataType": "OBJECT", "isRequired": True},
            {"name": "reply", "kind": "OUTPUT"},
        ],
        "steps": [
            {"name": "extract", "config": {"transform": {"set": values}}},
            {"name": "looks_like_a_bug", "config": {"condition": is_bug}},
            _prompt("summarise_bug", "Summarise: {{ steps.extract.output.title }}"),
            {
                **_prompt("answer_question", "Answer {{ steps.extract.output.author }}."),
                "runIf": 'steps.looks_like_a_bug.output.branch == "else"',
            },
        ],
    }


def _prompt(name: str, content: str) -> dict[str, Any]:
    script = {"extra": {"latencyMs": _LATENCY_MS}}
    model = {"provider": "SIMULATOR", "model": "echo", "parameters": script}
    prompt = {"content": content, "models": [model]}
    return {"name": name, "config": {"prompt": prompt}, "outputs": {"reply": "output.text"}}
