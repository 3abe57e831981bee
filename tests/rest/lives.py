"""The five types of triggers, each with its own way to be fired from outside."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2

from promptpilot.clock import SystemClock
from promptpilot.engine.triggers.scheduler import Scheduler
from promptpilot.engine.triggers.signatures import WebhookScheme, sign
from promptpilot.models import Firing, Trigger
from tests.rest.conftest import Site
from tests.support.clock import ManualClock
from tests.support.fakes import FakeFeed, FakeWaker

#: What the example workflow takes.
INPUT = {"payload": {"n": 1}}

_SHOWN = "id type isActive revision nextRunAt pausedReason"
_CREATE = f"""mutation ($input: CreateTriggerInput!) {{ createTrigger(input: $input) {{
  trigger {{ {_SHOWN} }} secret errors {{ code message path }} }} }}"""
_UPDATE = f"""mutation ($input: UpdateTriggerInput!) {{ updateTrigger(input: $input) {{
  trigger {{ {_SHOWN} }} secret errors {{ code message path }} }} }}"""
_ROTATE = """mutation ($input: RotateTriggerSecretInput!) { rotateTriggerSecret(input: $input) {
  secret errors { code path } } }"""
_DELETE = """mutation ($input: DeleteTriggerInput!) { deleteTrigger(input: $input) {
  deletedId errors { code path } } }"""
_LIST = "query ($id: ID!) { workflow(id: $id) { triggers { id type } } }"
_INSPECT = f"""query ($id: ID!) {{ trigger(id: $id) {{ {_SHOWN} lastTriggeredAt
  stats {{ startedCount notStartedCount lastStatus }}
  firings {{ nodes {{ outcome scheduledFor dedupeKey error {{ code }}
    verification {{ isVerified usedPreviousSecret }} execution {{ id }} }} }}
  executions {{ totalCount }} }} }}"""


@dataclass
class Life:
    """One trigger from its making to its end, over HTTP alone."""

    site: Site
    trigger_id: str = ""
    secret: str | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def ask(self, document: str, **variables: Any) -> Any:
        """Return the first field of the data of a GraphQL operation."""
        body = {"query": document, "variables": variables}
        answer = (await self.site.post("/graphql", json=body)).json()
        assert "errors" not in answer, answer
        return next(iter(answer["data"].values()))

    async def create(self, config: dict[str, Any]) -> dict[str, Any]:
        """Make the trigger; return it as it is shown."""
        given = {"workflowId": self.site.workflow_id, "name": "Life", "input": INPUT}
        payload = await self.ask(_CREATE, input={**given, "config": config})
        assert payload["errors"] == []
        self.trigger_id, self.secret = payload["trigger"]["id"], payload["secret"]
        trigger: dict[str, Any] = payload["trigger"]
        return trigger

    async def listed(self) -> list[dict[str, str]]:
        """Return what the workflow lists of this trigger."""
        found = (await self.ask(_LIST, id=self.site.workflow_id))["triggers"]
        return [each for each in found if each["id"] == self.trigger_id]

    async def inspect(self) -> Any:
        """Return everything that is shown of the trigger; None when it is gone."""
        return await self.ask(_INSPECT, id=self.trigger_id)

    async def rotate(self) -> dict[str, Any]:
        """Give it a new secret with an hour of grace; return what was answered."""
        rotation = {"id": self.trigger_id, "graceSeconds": 3600}
        payload: dict[str, Any] = await self.ask(_ROTATE, input=rotation)
        return payload

    async def switch(self, *, is_active: bool) -> None:
        """Switch it on or off."""
        change = {"id": self.trigger_id, "isActive": is_active}
        payload = await self.ask(_UPDATE, input=change)
        assert payload["trigger"]["isActive"] is is_active

    async def delete(self) -> None:
        """Delete it."""
        payload = await self.ask(_DELETE, input={"id": self.trigger_id})
        assert payload == {"deletedId": self.trigger_id, "errors": []}


#: Fires a trigger with a secret; returns the id of the execution, None if there is none.
Way = Callable[[Life, str | None], Awaitable[str | None]]


async def by_hand(life: Life, _: str | None) -> str | None:
    """Fire it with a token."""
    path = f"/api/triggers/{life.trigger_id}/execute"
    return _started(await life.site.post(path, json={"input": INPUT}))


async def by_key(life: Life, secret: str | None) -> str | None:
    """Call it with a key."""
    path = f"/api/triggers/{life.trigger_id}/invoke"
    headers = {"x-api-key": secret or ""}
    return _started(await life.site.client.post(path, json={"input": INPUT}, headers=headers))


async def by_signature(life: Life, secret: str | None) -> str | None:
    """Send it a signed call."""
    body, now = json.dumps({"input": INPUT}).encode(), SystemClock().now()
    message_id = f"msg-{next(life.numbers)}"
    headers = sign(WebhookScheme.STANDARD, secret or "", body, message_id, now)
    path = f"/api/webhooks/{life.trigger_id}"
    return _started(await life.site.client.post(path, content=body, headers=headers))


async def by_event(life: Life, _: str | None) -> str | None:
    """Dispatch an event that it listens for."""
    event = {"eventType": "life.begins", "payload": {"n": 1}}
    answer = (await life.site.post("/api/events", json=event)).json()
    return next(iter(answer["executionIds"]), None)


async def by_the_clock(life: Life, _: str | None) -> str | None:
    """Let its next time come, and a scheduler look."""
    row = await Trigger.get_or_none(id=life.trigger_id)
    before = await Firing.all().count()
    if row is not None and row.next_run_at is not None:
        await _tick(life.site, ManualClock(row.next_run_at + timedelta(seconds=1)))
    if await Firing.all().count() == before:
        return None
    return (await Firing.all().order_by("-scheduled_for", "-id").limit(1))[0].execution_id


async def _tick(site: Site, clock: ManualClock) -> None:
    parts, database = site.engine.parts, site.engine.database
    await Scheduler(database, parts.launcher, parts.control, FakeWaker(), FakeFeed(), clock).tick()


def _started(response: httpx2.Response) -> str | None:
    if not response.is_success:
        return None
    execution_id: str | None = response.json()["executionId"]
    return execution_id
