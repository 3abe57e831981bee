"""Starts workflows as no person does: by a signed call from outside."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from tests.schema.api import Api
from tests.schema.documents import make_trigger

SECRET = "a secret of sixteen or more"
GITHUB: dict[str, Any] = {
    "scheme": "GITHUB",
    "secret": SECRET,
    "inputMapping": {"title": "payload.issue.title"},
}


async def send_call(api: Api, trigger_id: str, secret: str = SECRET) -> str:
    """Send a call that `secret` signs; return the id of the execution that it stands for."""
    body = json.dumps({"issue": {"title": "A bug"}}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "x-hub-signature-256": f"sha256={signature}",
        "x-github-delivery": "d1",
        "x-github-event": "issues",
        "content-type": "application/json",
    }
    accepted = await api.engine.accept_call(trigger_id, headers, body, "127.0.0.1")
    assert accepted.execution_id is not None
    return accepted.execution_id


async def call_webhook(api: Api, workflow_id: str) -> str:
    """Start a workflow by a call; return the execution's id."""
    return await send_call(api, await make_trigger(api, workflow_id, {"webhook": GITHUB}))
