"""Platform events: what may be dispatched, how triggers see one, and storing each once.

Rules: an event is stored before anybody is told of it. A key admits one event within 24 hours; the
keys of callers and those of the server cannot meet, because only a caller's has a space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from promptpilot import ids
from promptpilot.clock import Clock, to_ms
from promptpilot.engine.fields import check_key
from promptpilot.engine.gathering import gather
from promptpilot.engine.ownership import find
from promptpilot.engine.principal import Principal
from promptpilot.engine.start import asked_digest
from promptpilot.engine.triggers.event_configs import check_event_type
from promptpilot.errors import IdempotencyMismatch, InvalidInput, LimitExceeded
from promptpilot.instants import instant_text
from promptpilot.json_values import check_json, encode_json
from promptpilot.models import PlatformEvent, Workflow
from promptpilot.models.database import Database

#: Types that begin so are dispatched by the server alone.
SERVER_PREFIX: Final = "execution."
#: How many platform events may lie between an execution and what first started it all.
MAX_DEPTH: Final = 8

_KEY_LIFETIME: Final = timedelta(hours=24)
_TYPE: Final = ("input", "eventType")
_PAYLOAD: Final = ("input", "payload")
_WORKFLOW: Final = ("input", "workflowId")
_KEY: Final = ("input", "idempotencyKey")

_FREE_KEY = """
UPDATE platform_events SET dedupe_key = NULL
WHERE workspace_id = $1 AND dedupe_key = $2 AND created_at <= $3
"""


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event to dispatch: to every trigger that listens, or to those of one workflow."""

    event_type: str
    payload: Mapping[str, Any]
    workflow_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What an event led to; not new, if its key has come before."""

    execution_ids: tuple[str, ...]
    is_new: bool
    event_id: str


class EventStore:
    """Stores the events that callers dispatch."""

    def __init__(self, database: Database, clock: Clock, max_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._max_bytes = max_bytes

    async def store(self, principal: Principal, draft: EventDraft) -> tuple[PlatformEvent, bool]:
        """Store an event, or find the one of the same key; say whether it is new.

        Raises `InvalidInput`, `InvalidMany`, `LimitExceeded`, `NotFound` for the workflow, and
        `IdempotencyMismatch`; then nothing was stored.
        """
        self._check(draft)
        if draft.workflow_id is not None:
            await find(Workflow, ids.Kind.WORKFLOW, principal, draft.workflow_id, _WORKFLOW)
        row = self._row(principal, draft)
        stored = await self._database.retry(lambda: self._store_once(row))
        if stored.request_sha256 != row.request_sha256:
            message = "The key came before with another event; take a new key."
            raise IdempotencyMismatch(message, _KEY)
        return stored, stored.id == row.id

    async def _store_once(self, row: PlatformEvent) -> PlatformEvent:
        place, key = row.workspace_id, row.dedupe_key
        since = to_ms(row.created_at - _KEY_LIFETIME)
        async with self._database.transaction():
            if key is not None:
                await self._database.execute(_FREE_KEY, place, key, since)
            await PlatformEvent.bulk_create([row], ignore_conflicts=True)
            if key is None:
                return row
            return await PlatformEvent.get(workspace_id=place, dedupe_key=key)

    def _check(self, draft: EventDraft) -> None:
        gather(
            lambda: check_event_type(draft.event_type, _TYPE),
            lambda: _check_unreserved(draft.event_type),
            lambda: self._check_payload(draft.payload),
            lambda: check_key(draft.idempotency_key, _KEY),
        )

    def _check_payload(self, payload: Mapping[str, Any]) -> None:
        if not isinstance(payload, dict):
            raise InvalidInput("payload must be a JSON object.", _PAYLOAD)
        check_json(payload, _PAYLOAD)
        size = len(encode_json(payload).encode())
        if size > self._max_bytes:
            message = f"The payload has {size} bytes of JSON; at most {self._max_bytes} are taken."
            raise LimitExceeded(message, self._max_bytes, _PAYLOAD)

    def _row(self, principal: Principal, draft: EventDraft) -> PlatformEvent:
        key = draft.idempotency_key
        return PlatformEvent(
            id=ids.new_id(ids.Kind.PLATFORM_EVENT),
            workspace_id=principal.workspace_id,
            type=draft.event_type,
            payload=dict(draft.payload),
            workflow_id=draft.workflow_id,
            dedupe_key=None if key is None else f"key {key}",
            request_sha256=asked_digest(draft.payload, draft.event_type, draft.workflow_id or ""),
            actor_id=principal.user_id,
            created_at=self._clock.now(),
        )


def shown_event(event: PlatformEvent) -> dict[str, Any]:
    """Return the event as filters and mappings read it, under the name `event`."""
    return {
        "id": event.id,
        "type": event.type,
        "payload": event.payload,
        "createdAt": instant_text(event.created_at),
        "source": "server" if event.type.startswith(SERVER_PREFIX) else "user",
    }


def _check_unreserved(event_type: str) -> None:
    if event_type.startswith(SERVER_PREFIX):
        message = f"Events {SERVER_PREFIX}* are dispatched by the server; take another type."
        raise InvalidInput(message, _TYPE)
