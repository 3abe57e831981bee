"""The workflow "Publish release notes", made and used as people do: over GraphQL and HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from standardwebhooks.webhooks import Webhook

from tests.story.owner import Event, Owner
from tests.support.caller import Caller
from tests.support.hostile.process import HostileProcess
from tests.support.waiting import wait_until

#: What the receiver wants to see, and nobody else may.
API_KEY = "k3y/with+odd=signs&more-than-twenty"
PAYLOAD = {"release": {"version": "2.0"}}

_SECONDS = 30.0
_STEPS = "id stepName status output input error { code message } pendingDecision { question }"


@dataclass(frozen=True)
class Press:
    """The workflow with its trigger, and its owner who is signed in. Take one from `set_up`."""

    owner: Owner
    workflow_id: str
    trigger_id: str
    trigger_secret: str
    signing_secret: str

    @property
    def caller(self) -> Caller:
        """Return who calls the server."""
        return self.owner.caller

    async def deliver(self, delivery: str = "msg_1") -> str:
        """Tell of a release, signed as Standard Webhooks say; return what it started."""
        answer = await self.call(delivery)
        assert answer.status_code == httpx2.codes.OK, answer.text
        execution_id: str = answer.json()["executionId"]
        return execution_id

    async def call(self, delivery: str) -> httpx2.Response:
        """Send the release and return the answer."""
        body = json.dumps(PAYLOAD)
        now = datetime.now(UTC)
        signature = Webhook(self.trigger_secret).sign(delivery, now, body)
        return await self.caller.post(
            f"/api/webhooks/{self.trigger_id}",
            body.encode(),
            content_type="application/json",
            webhook_id=delivery,
            webhook_timestamp=str(int(now.timestamp())),
            webhook_signature=signature,
        )

    async def steps(self, execution_id: str, more: str = "") -> dict[str, dict[str, Any]]:
        """Return the steps of an execution by name."""
        found = await self.owner.read(execution_id, f"steps {{ {_STEPS} {more} }}")
        return {step["stepName"]: step for step in found["steps"]}

    async def decide(self, execution_id: str, choice: str = "publish") -> None:
        """Answer the question of an execution as soon as it is asked."""
        await wait_until(lambda: self._is_asked(execution_id), _SECONDS)
        review = (await self.steps(execution_id))["review"]
        await self.owner.change(
            "submitDecision", "stepExecution { id }", stepExecutionId=review["id"], choice=choice
        )

    async def publish(self, delivery: str = "msg_1") -> str:
        """Tell of a release and let it be published; return the execution."""
        execution_id = await self.deliver(delivery)
        await self.decide(execution_id)
        return execution_id

    async def watch(self, execution_id: str) -> AsyncIterator[Event]:
        """Yield the events of an execution as they happen; decide when it is asked for."""
        async for event in self.owner.watch(execution_id):
            yield event
            if event.get("toStatus") == "WAITING":
                await self.decide(execution_id)

    async def _is_asked(self, execution_id: str) -> bool:
        review = (await self.steps(execution_id)).get("review")
        return review is not None and review["pendingDecision"] is not None


async def set_up(owner: Owner, receiver: HostileProcess, behaviour: str) -> Press:
    """Make the workflow, whose requests meet with `behaviour`, its trigger and a signing secret."""
    signing = await owner.change("rotateSigningSecret", "secret", graceSeconds=0)
    made = await owner.change("createWorkflow", "workflow { id }", **_workflow(receiver, behaviour))
    workflow_id = made["workflow"]["id"]
    webhook = {"scheme": "STANDARD", "inputMapping": {"release": "payload.release"}}
    trigger = await owner.change(
        "createTrigger",
        "trigger { id } secret",
        workflowId=workflow_id,
        name="Releases",
        config={"webhook": webhook},
    )
    trigger_id, secret = trigger["trigger"]["id"], trigger["secret"]
    return Press(owner, workflow_id, trigger_id, secret, signing["secret"])


def _workflow(receiver: HostileProcess, behaviour: str) -> dict[str, Any]:
    return {
        "name": "Publish release notes",
        "variables": [{"name": "release", "dataType": "OBJECT", "isRequired": True}],
        "steps": [
            {"name": "write", "config": {"prompt": _PROMPT}},
            {"name": "review", "config": {"decision": _REVIEW}},
            {"name": "publish", "config": {"webhook": _request(receiver.url(behaviour))}},
            {"name": "record", "config": {"transform": {"set": _RECORD}}},
        ],
    }


#: The model of these stories reads how to behave, for which execution and at which step.
_PROMPT = {
    "content": "quick {{ execution.id }} 0",
    "models": [{"provider": "SIMULATOR", "model": "echo"}],
}
_REVIEW = {
    "mode": "MANUAL",
    "question": "Publish {{ input.release.version }}?",
    "choices": [{"name": "publish"}, {"name": "drop", "nextStepName": "END"}],
}
_RECORD = {"status": "steps.publish.output.status", "by": "steps.review.output.decidedBy"}


def _request(url: str) -> dict[str, Any]:
    return {
        "url": url,
        "headers": [{"name": "X-Api-Key", "value": API_KEY, "isSecret": True}],
        "body": {"version": "{{ input.release.version }}", "text": "{{ steps.write.output.text }}"},
    }
