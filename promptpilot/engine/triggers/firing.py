"""Records the firings that start nothing. Those that do are stored with their execution."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from promptpilot.clock import Clock
from promptpilot.engine.gathering import each
from promptpilot.engine.launch import FiringDraft
from promptpilot.engine.triggers.kinds import FiringOutcome
from promptpilot.engine.triggers.receiver import Receiver
from promptpilot.errors import CallerError, IdempotencyMismatch, InvalidStatus
from promptpilot.json_values import encode_json
from promptpilot.models import Firing
from promptpilot.models.database import Database

#: Bytes of a body that are kept with its firing.
MAX_KEPT_BYTES: Final = 64 * 1024
_MAX_ERRORS: Final = 20
_MAX_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a firing that started nothing. `failure_code` is the signature's."""

    outcome: FiringOutcome
    failure_code: str | None = None
    error: dict[str, Any] | None = None


class Firings:
    """Writes the firings that start nothing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(self, receiver: Receiver, draft: FiringDraft, ending: Ending) -> None:
        """Store a firing; with the same draft again it stays one."""
        row = Firing(
            id=draft.id,
            workspace_id=receiver.target.workspace_id,
            trigger_id=draft.trigger_id,
            trigger_type=receiver.type.value,
            outcome=ending.outcome.value,
            scheduled_for=draft.scheduled_for,
            dedupe_key=draft.dedupe_key,
            body_sha256=draft.body_sha256,
            scheme=draft.scheme,
            is_verified=draft.is_verified,
            failure_code=ending.failure_code,
            used_previous_secret=draft.used_previous_secret,
            error=ending.error,
            payload=draft.payload,
            source_ip=draft.source_ip,
            actor_id=draft.actor_id,
            created_at=self._clock.now(),
        )
        await self._database.retry(lambda: Firing.bulk_create([row], ignore_conflicts=True))

    @asynccontextmanager
    async def recording(self, receiver: Receiver, draft: FiringDraft) -> AsyncIterator[None]:
        """Record a firing that is refused inside; the launcher has recorded a mismatch itself."""
        try:
            yield
        except IdempotencyMismatch:
            raise
        except CallerError as fault:
            await self.record(receiver, draft, ending_of(fault))
            raise


def ending_of(fault: CallerError) -> Ending:
    """Return what came of a firing whose start was refused with `fault`."""
    is_off = isinstance(fault, InvalidStatus)
    outcome = FiringOutcome.INACTIVE if is_off else FiringOutcome.REJECTED
    return Ending(outcome, error=_document(fault))


def kept_payload(values: Mapping[str, Any]) -> Any:
    """Return what is kept of an object that was checked: itself, or the beginning of its text."""
    body = encode_json(dict(values)).encode()
    return dict(values) if len(body) <= MAX_KEPT_BYTES else cut_text(body)


def cut_text(body: bytes) -> str:
    """Return what is kept of a body that is not JSON or too large; a mark says what is missing."""
    kept = body[:MAX_KEPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return kept if len(body) <= MAX_KEPT_BYTES else f"{kept}… (cut; {len(body)} bytes in all)"


def _document(fault: CallerError) -> dict[str, Any]:
    errors = [
        {"code": one.code, "message": one.message[:_MAX_MESSAGE], "path": list(one.path)}
        for one in each(fault)[:_MAX_ERRORS]
    ]
    return {
        "code": fault.code,
        "message": fault.message[:_MAX_MESSAGE],
        "isRetryable": False,
        "details": {"errors": errors},
    }
