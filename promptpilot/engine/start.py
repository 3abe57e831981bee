"""Starts a workflow because somebody asked for it through the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from promptpilot.engine.fields import check_key
from promptpilot.engine.gathering import gather
from promptpilot.engine.launch import Idempotency, Launched, Launcher, LaunchRequest, request_digest
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.errors import InvalidInput
from promptpilot.models.columns import check_json

_OPERATION = "startExecution"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A workflow to start, now or at an instant."""

    workflow_id: str
    input: Mapping[str, Any]
    idempotency_key: str | None = None
    start_at: datetime | None = None


async def start(launcher: Launcher, principal: Principal, request: StartRequest) -> Launched:
    """Store an execution of the workflow; `Engine.start_execution` says what is raised."""
    check_asked(request.input, request.idempotency_key)
    target = await launcher.target(principal.workspace_id, request.workflow_id)
    return await launcher.launch(
        LaunchRequest(
            target=target,
            input=request.input,
            trigger_type=TriggerType.MANUAL,
            started_by=principal.user_id,
            idempotency=_idempotency(request),
            start_at=request.start_at,
        )
    )


def check_asked(values: Mapping[str, Any], key: str | None) -> None:
    """Raise InvalidInput unless the input is a JSON object and the key can be one."""
    gather(lambda: _check_object(values), lambda: check_key(key, ("input", "idempotencyKey")))


def asked_digest(values: Mapping[str, Any], *others: str) -> str:
    """Return the digest of an input that is JSON; the order of its keys does not matter."""
    return request_digest(json.dumps(values, sort_keys=True), *others)


def _idempotency(request: StartRequest) -> Idempotency | None:
    if request.idempotency_key is None:
        return None
    start_at = request.start_at.isoformat() if request.start_at else ""
    digest = asked_digest(request.input, request.workflow_id, start_at)
    return Idempotency(_OPERATION, request.idempotency_key, digest)


def _check_object(values: Mapping[str, Any]) -> None:
    if not isinstance(values, dict):
        raise InvalidInput("input must be a JSON object.", ("input", "input"))
    check_json(values, ("input", "input"))
