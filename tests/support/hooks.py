"""Signed calls for tests, and triggers that take them."""

from __future__ import annotations

import json
from typing import Any

from promptpilot.engine.api import Accepted, Engine
from promptpilot.engine.drafts import TriggerDraft, WebhookConfig
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.models import Firing, Trigger, Workflow
from tests.support.clock import ManualClock

SECRET = "0123456789abcdef0123456789abcdef"
ISSUE = {"action": "opened", "issue": {"title": "It crashes"}}
MAPPING = {"title": "payload.issue.title"}


async def make_hook(
    engine: Engine, principal: Principal, workflow: Workflow, **config: Any
) -> Trigger:
    """Store a GITHUB trigger with a known secret and the default input `count` = 1."""
    settings = WebhookConfig(scheme=WebhookScheme.GITHUB, secret=SECRET, **config)
    asked = TriggerDraft(workflow_id=workflow.id, name="Hook", config=settings, input={"count": 1})
    return (await engine.create_trigger(principal, asked))[0]


def signed(body: bytes, delivery: str = "d1", **extra: str) -> dict[str, str]:
    """Return the headers that GitHub would send."""
    now = ManualClock().now()
    made = signatures.sign(WebhookScheme.GITHUB, SECRET, body, delivery, now)
    return {**made, "x-github-event": "issues", **extra}


async def send(
    engine: Engine, hook: Trigger, payload: Any = None, delivery: str = "d1", **extra: str
) -> Accepted:
    """Send a signed call with a JSON body, or with bytes as they are."""
    value = ISSUE if payload is None else payload
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return await engine.accept_call(hook.id, signed(body, delivery, **extra), body, "192.0.2.1")


async def only_firing() -> Firing:
    """Return the one firing there is."""
    return await Firing.get()
