"""Fires a trigger by hand, whatever its type and whether it is switched on or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptpilot import ids
from promptpilot.engine.launch import FiringDraft, Launched, Launcher, LaunchRequest
from promptpilot.engine.principal import Principal
from promptpilot.engine.start import asked_digest, check_asked
from promptpilot.engine.triggers.firing import kept_payload
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.triggers.receiver import find_owned
from promptpilot.errors import IdempotencyMismatch
from promptpilot.models.database import Database


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A trigger to fire. The values of `input` win over the trigger's default input."""

    trigger_id: str
    input: Mapping[str, Any]
    idempotency_key: str | None = None


async def run_by_hand(
    database: Database, launcher: Launcher, principal: Principal, request: RunRequest
) -> Launched:
    """Start the trigger's workflow and record the firing; `Engine.run_trigger` says what raises."""
    check_asked(request.input, request.idempotency_key)
    receiver = await find_owned(database, principal, request.trigger_id)
    key = request.idempotency_key
    firing = FiringDraft(
        id=ids.new_id(ids.Kind.FIRING),
        trigger_id=receiver.id,
        dedupe_key=None if key is None else f"key {key}",  # no message id has a space
        body_sha256=asked_digest(request.input),
        payload=kept_payload(request.input),
        actor_id=principal.user_id,
    )
    asked = LaunchRequest(
        target=receiver.target,
        input=receiver.input_with(request.input),
        trigger_type=TriggerType.MANUAL,
        started_by=principal.user_id,
        trigger_id=receiver.id,
        trigger_data={"headers": {}, "payload": dict(request.input)},
        firing=firing,
    )
    try:
        return await launcher.launch(asked)
    except IdempotencyMismatch as mismatch:
        message = "The key came before with another input; take a new key."
        raise IdempotencyMismatch(message, ("input", "idempotencyKey")) from mismatch
