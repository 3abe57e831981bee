"""What tests of the REST edge can ask for: the whole application, an owner and its example."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from promptpilot.app import create_app
from promptpilot.backbone import Backbone, open_backbone
from promptpilot.clock import SystemClock
from promptpilot.engine.api import Engine
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.signatures import WebhookScheme, sign
from promptpilot.example import trigger_draft, workflow_draft
from promptpilot.models import Execution
from promptpilot.owner import Owner
from promptpilot.settings import Settings
from tests.rest.described import check_answer
from tests.support.backbones import settings_for
from tests.support.people import make_principal
from tests.support.redis import RedisServer


@dataclass(frozen=True)
class Site:
    """The application with an owner who has the example workflow and its trigger."""

    backbone: Backbone
    engine: Engine
    client: httpx2.AsyncClient
    owner: Owner
    principal: Principal
    workflow_id: str

    @property
    def authorization(self) -> dict[str, str]:
        """Return the header of the owner."""
        return {"authorization": f"Bearer {self.owner.access_token}"}

    async def post(self, path: str, **request: Any) -> httpx2.Response:
        """POST as the owner."""
        headers = {**self.authorization, **request.pop("headers", {})}
        return await self.client.post(path, headers=headers, **request)

    async def deliver(
        self, body: bytes, delivery: str = "d-1", **headers: str | bytes
    ) -> httpx2.Response:
        """POST a webhook call as GitHub would; `headers` replace its own."""
        signed = sign(
            WebhookScheme.GITHUB, self.owner.trigger_secret, body, delivery, SystemClock().now()
        )
        own = {**signed, "x-github-event": "issues", "x-github-delivery": delivery}
        path = f"/api/webhooks/{self.owner.trigger_id}"
        replaced = {name.replace("_", "-"): value for name, value in headers.items()}
        sent: dict[str, Any] = {**own, **replaced}
        return await self.client.post(path, content=body, headers=sent)


@pytest.fixture
async def site(database_url: str, redis_server: RedisServer) -> AsyncIterator[Site]:
    """Give the application; nobody works, so executions stay PENDING."""
    async with open_site(settings_for(database_url, redis_server.url)) as opened:
        yield opened


@asynccontextmanager
async def open_site(settings: Settings) -> AsyncIterator[Site]:
    """Open the application with these settings, until the block ends."""
    async with open_backbone(settings, []) as backbone:
        engine = backbone.engine()
        principal = await make_principal("owner", backbone.clock)
        workflow = await engine.create_workflow(principal, workflow_draft())
        owner = await _owner(engine, principal, workflow.id)
        transport = httpx2.ASGITransport(create_app(backbone, engine))
        hooks: dict[str, list[Any]] = {"response": [check_answer]}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://site", event_hooks=hooks
        ) as client:
            yield Site(backbone, engine, client, owner, principal, workflow.id)


async def _owner(engine: Engine, principal: Principal, workflow_id: str) -> Owner:
    trigger, secret = await engine.create_trigger(principal, trigger_draft(workflow_id))
    _, token = await engine.create_access_token(principal, "test")
    return Owner(token, trigger.id, secret or "")


async def count_executions() -> int:
    """Return how many executions are stored."""
    return await Execution.all().count()
