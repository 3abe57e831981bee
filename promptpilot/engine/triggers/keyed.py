"""Takes a call with the key of an API trigger: checks it, reads the body, starts the execution.

Rules: nothing of a call is parsed or stored before its key is right. Whatever came of a call for an
existing trigger is recorded as a firing; who has no right key cannot tell an API trigger that is
switched off from one that is not there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from hmac import compare_digest
from typing import Any, Final

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.fields import check_key
from promptpilot.engine.launch import FiringDraft, Launched, Launcher, LaunchRequest
from promptpilot.engine.ownership import not_found
from promptpilot.engine.tokens import hash_access_token
from promptpilot.engine.triggers.calls import (
    Accepted,
    Call,
    check_size,
    input_of,
    shown_headers,
)
from promptpilot.engine.triggers.firing import MAX_KEPT_BYTES, Ending, Firings, cut_text
from promptpilot.engine.triggers.kinds import FiringOutcome, TriggerType
from promptpilot.engine.triggers.payloads import read_json
from promptpilot.engine.triggers.receiver import KeyDigests, Receiver, find_api
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.engine.versions import Versions
from promptpilot.errors import IdempotencyMismatch, InvalidStatus, SignatureInvalid
from promptpilot.models.database import Database

#: How a call with a key is said to be verified, beside the schemes of webhooks.
SCHEME: Final = WebhookScheme.API_KEY.value
KEY_MISSING: Final = "KEY_MISSING"
KEY_MISMATCH: Final = "KEY_MISMATCH"

_KEY_PATH: Final = ("headers", "idempotency-key")


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """A call and the key that came with it. Nothing is deduplicated without `idempotency_key`."""

    call: Call
    key: str | None = field(repr=False)
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the key of a call proves."""

    failure_code: str | None
    used_previous: bool = False


class Keyed:
    """The way in for calls with a key."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        versions: Versions,
        clock: Clock,
        max_body_bytes: int,
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._versions = versions
        self._clock = clock
        self._max_body_bytes = max_body_bytes
        self._firings = Firings(database, clock)

    async def accept(self, asked: KeyedCall) -> Accepted:
        """Check the key, read and start; `Engine.call_trigger` says what is raised."""
        check_size(asked.call.body, self._max_body_bytes)
        receiver = await find_api(self._database, asked.call.trigger_id)
        verdict = _judge(asked.key, receiver.keys, self._clock.now())
        if verdict.failure_code is not None:
            await self._refuse(receiver, asked.call, verdict.failure_code)
        unread = _draft(receiver, asked, verdict)
        async with self._firings.recording(receiver, replace(unread, dedupe_key=None)):
            check_key(asked.idempotency_key, _KEY_PATH)
            payload = _payload(asked.call)
        is_small = len(asked.call.body) <= MAX_KEPT_BYTES
        read = replace(unread, payload=payload) if is_small else unread
        async with self._firings.recording(receiver, read):
            return await self._start(receiver, asked.call, read, payload)

    async def _refuse(self, receiver: Receiver, call: Call, code: str) -> None:
        """Record that the key is wrong and say so, but not that the trigger is there if off."""
        draft = FiringDraft(
            id=ids.new_id(ids.Kind.FIRING),
            trigger_id=receiver.id,
            scheme=SCHEME,
            is_verified=False,
            used_previous_secret=False,
            source_ip=call.source_ip,
        )
        await self._firings.record(receiver, draft, Ending(FiringOutcome.REJECTED, code))
        if not receiver.is_on:
            raise not_found(ids.Kind.TRIGGER, receiver.id)
        message = "The key is not one of this trigger; send it as X-API-Key."
        raise SignatureInvalid(message, code)

    async def _start(
        self, receiver: Receiver, call: Call, draft: FiringDraft, payload: Any
    ) -> Accepted:
        if not receiver.is_on:
            raise InvalidStatus("The trigger or its workflow is switched off.", "INACTIVE")
        headers = shown_headers(call.headers)
        given = await input_of(self._versions, receiver, payload, headers, self._clock.now())
        request = LaunchRequest(
            target=receiver.target,
            input=receiver.input_with(given),
            trigger_type=TriggerType.API,
            trigger_id=receiver.id,
            trigger_data={"headers": headers, "payload": payload},
            firing=draft,
            input_path=("input",),
        )
        launched = await self._launch(request)
        message = "Execution started." if launched.is_new else "This call came before."
        return Accepted(launched.execution_id, not launched.is_new, message)

    async def _launch(self, request: LaunchRequest) -> Launched:
        try:
            return await self._launcher.launch(request)
        except IdempotencyMismatch as mismatch:
            message = "The key of the call came before with another body; take a new key."
            raise IdempotencyMismatch(message, _KEY_PATH) from mismatch


def _judge(key: str | None, digests: KeyDigests, now: datetime) -> _Verdict:
    """Return what the key proves; it takes the same time for every key."""
    if not key:
        return _Verdict(KEY_MISSING)
    digest = hash_access_token(key)
    is_in_grace = digests.previous_until is not None and now < digests.previous_until
    is_current = compare_digest(digest, digests.current or "")
    is_previous = compare_digest(digest, digests.previous or "") and is_in_grace
    return _Verdict(
        None if is_current or is_previous else KEY_MISMATCH,
        used_previous=is_previous and not is_current,
    )


def _payload(call: Call) -> Any:
    """Return what the body says; no body says nothing. Raises `InvalidInput`."""
    if not call.body:
        return {}
    return read_json(call.headers.get("content-type", ""), call.body)


def _draft(receiver: Receiver, asked: KeyedCall, verdict: _Verdict) -> FiringDraft:
    body = asked.call.body
    return FiringDraft(
        id=ids.new_id(ids.Kind.FIRING),
        trigger_id=receiver.id,
        dedupe_key=asked.idempotency_key,
        body_sha256=hashlib.sha256(body).hexdigest(),
        scheme=SCHEME,
        is_verified=True,
        used_previous_secret=verdict.used_previous,
        payload=cut_text(body),
        source_ip=asked.call.source_ip,
    )
