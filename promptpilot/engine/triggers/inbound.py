"""Takes a webhook call: verifies it over its raw bytes, reads it, and starts the execution.

Rules: nothing of a call is parsed or stored before its signature is verified. Whatever came of a
call for an existing trigger is recorded as a firing; for an unknown one nothing is stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.launch import FiringDraft, Launcher, LaunchRequest
from promptpilot.engine.ownership import not_found
from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.calls import (
    Accepted,
    Call,
    check_size,
    input_of,
    shown_headers,
)
from promptpilot.engine.triggers.firing import (
    MAX_KEPT_BYTES,
    Ending,
    Firings,
    cut_text,
)
from promptpilot.engine.triggers.kinds import FiringOutcome, TriggerType
from promptpilot.engine.triggers.payloads import read_json, read_json_or_form
from promptpilot.engine.triggers.receiver import Receiver, find_webhook
from promptpilot.engine.triggers.secrets import TriggerSecrets
from promptpilot.engine.triggers.signatures import Verdict, WebhookScheme
from promptpilot.engine.versions import Versions
from promptpilot.errors import InvalidStatus, SignatureInvalid
from promptpilot.models.database import Database


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A call, the trigger it is for, and what its signature proves."""

    call: Call
    receiver: Receiver
    verdict: Verdict

    @property
    def scheme(self) -> WebhookScheme:
        """How calls for the trigger are signed."""
        return WebhookScheme(self.receiver.config["scheme"])


class Inbound:
    """The way in for webhook calls."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        versions: Versions,
        secrets: TriggerSecrets,
        clock: Clock,
        max_body_bytes: int,
    ) -> None:
        self._database = database
        self._launcher = launcher
        self._versions = versions
        self._secrets = secrets
        self._clock = clock
        self._max_body_bytes = max_body_bytes
        self._firings = Firings(database, clock)

    async def accept(self, call: Call) -> Accepted:
        """Verify, read and start; `Engine.accept_call` says what is raised."""
        check_size(call.body, self._max_body_bytes)
        receiver = await find_webhook(self._database, call.trigger_id)
        arrival = _Arrival(call, receiver, self._verify(receiver, call))
        if not arrival.verdict.is_verified:
            await self._refuse(arrival)
        unread = _draft(arrival)
        async with self._firings.recording(receiver, unread):
            payload = _payload(arrival)
        read = _read(unread, arrival, payload)
        async with self._firings.recording(receiver, read):
            return await self._start(arrival, read, payload)

    def _verify(self, receiver: Receiver, call: Call) -> Verdict:
        now = self._clock.now()
        return signatures.verify(
            WebhookScheme(receiver.config["scheme"]),
            self._secrets.active(receiver.secrets, now),
            call.headers,
            call.body,
            now,
            timedelta(seconds=receiver.config["tolerance_seconds"]),
        )

    async def _refuse(self, arrival: _Arrival) -> None:
        """Record that a call proves nothing and say so, but not that the trigger is there if off.

        Nothing of the body is kept: anybody can send one.
        """
        receiver, code = arrival.receiver, arrival.verdict.failure_code
        draft = FiringDraft(
            id=ids.new_id(ids.Kind.FIRING),
            trigger_id=receiver.id,
            scheme=receiver.config["scheme"],
            is_verified=False,
            used_previous_secret=False,
            source_ip=arrival.call.source_ip,
        )
        await self._firings.record(receiver, draft, Ending(FiringOutcome.REJECTED, code))
        if not receiver.is_on:
            raise not_found(ids.Kind.TRIGGER, receiver.id)
        raise SignatureInvalid(f"The call is not signed as it must be: {code}.", str(code))

    async def _start(self, arrival: _Arrival, draft: FiringDraft, payload: Any) -> Accepted:
        receiver = arrival.receiver
        if not receiver.is_on:
            raise InvalidStatus("The trigger or its workflow is switched off.", "INACTIVE")
        challenge = signatures.challenge_in(arrival.scheme, payload)
        if arrival.verdict.is_ping or challenge is not None:
            await self._firings.record(receiver, draft, Ending(FiringOutcome.FILTERED))
            return Accepted(None, is_duplicate=False, message="pong", challenge=challenge)
        headers = shown_headers(arrival.call.headers)
        given = await input_of(self._versions, receiver, payload, headers, self._clock.now())
        request = LaunchRequest(
            target=receiver.target,
            input=receiver.input_with(given),
            trigger_type=TriggerType.WEBHOOK,
            trigger_id=receiver.id,
            trigger_data={"headers": headers, "payload": payload},
            firing=draft,
            input_path=("input",),
        )
        launched = await self._launcher.launch(request)
        message = "Execution started." if launched.is_new else "This call came before."
        return Accepted(launched.execution_id, not launched.is_new, message)


def _payload(arrival: _Arrival) -> Any:
    """Return what the body says. Raises `InvalidInput`."""
    read = read_json_or_form if signatures.reads_forms(arrival.scheme) else read_json
    return read(arrival.call.headers.get("content-type", ""), arrival.call.body)


def _draft(arrival: _Arrival) -> FiringDraft:
    call, verdict = arrival.call, arrival.verdict
    return FiringDraft(
        id=ids.new_id(ids.Kind.FIRING),
        trigger_id=arrival.receiver.id,
        dedupe_key=verdict.message_id or dedupe_key(verdict.timestamp, call.body),
        body_sha256=hashlib.sha256(call.body).hexdigest(),
        scheme=arrival.scheme.value,
        is_verified=True,
        used_previous_secret=verdict.used_previous_secret,
        payload=cut_text(call.body),
        source_ip=call.source_ip,
    )


def _read(unread: FiringDraft, arrival: _Arrival, payload: Any) -> FiringDraft:
    """Return the draft with what only the payload tells: its id, and itself unless it is large."""
    header_id = arrival.verdict.message_id
    message_id = header_id or signatures.message_id_in(arrival.scheme, payload)
    is_small = len(arrival.call.body) <= MAX_KEPT_BYTES
    return replace(
        unread,
        dedupe_key=message_id or unread.dedupe_key,
        payload=payload if is_small else unread.payload,
    )


def dedupe_key(timestamp: int | None, body: bytes) -> str:
    """Return what makes a call unique that has no id: the time that is signed, and its body."""
    text = "" if timestamp is None else str(timestamp)
    return hashlib.sha256(text.encode() + body).hexdigest()
