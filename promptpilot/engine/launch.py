"""Launching: checks the input, pins the version and stores the execution, once for its key.

What is returned is stored. What is refused has stored nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from tortoise.queryset import QuerySet

from promptpilot import ids
from promptpilot.clock import Clock, to_ms
from promptpilot.engine import inputs
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Columns, Opening
from promptpilot.engine.definition import Definition
from promptpilot.engine.lifecycle import ExecutionStatus, WaitReason
from promptpilot.engine.pins import Pins, current_pins, stored_pins
from promptpilot.engine.received import reads_trigger_data
from promptpilot.engine.triggers.kinds import FiringOutcome, TriggerType
from promptpilot.engine.versions import Versions
from promptpilot.errors import IdempotencyMismatch, InvalidInput, InvalidStatus, NotFound
from promptpilot.models import Firing, IdempotencyKey
from promptpilot.models.columns import encode_json
from promptpilot.models.database import Database

_MAX_START_DELAY = timedelta(days=365)
_MAX_KEY_LENGTH = 255
KEY_LIFETIME = timedelta(hours=24)
#: Starts whose callers choose the keys of their firings.
_WITH_KEYS: Final = (TriggerType.MANUAL, TriggerType.API)

_TARGET = """
SELECT id, workspace_id, current_version_id, revision, is_active
FROM workflows WHERE id = $1 AND workspace_id = $2
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A workflow to start, as it is now."""

    workspace_id: str
    workflow_id: str
    version_id: str
    revision: int
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringDraft:
    """The firing that is stored together with the execution it started."""

    id: str
    trigger_id: str
    scheduled_for: datetime | None = None
    dedupe_key: str | None = None
    body_sha256: str | None = None
    scheme: str | None = None
    is_verified: bool | None = None
    used_previous_secret: bool | None = None
    payload: Any = None
    source_ip: str | None = None
    actor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A key given by the caller, for one operation, and the digest of what was asked with it."""

    operation: str
    key: str
    request_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """Everything about a start. `input_path` leads to the input in the caller's arguments.

    `trigger_data` and the firing's payload are values that were checked (`check_json`) before.
    `queued_firing_id` is a firing that has waited for its turn, instead of a new one. `depth`
    counts the platform events that led here.
    """

    target: Target
    input: Mapping[str, Any]
    trigger_type: TriggerType
    started_by: str | None = None
    trigger_id: str | None = None
    trigger_data: Mapping[str, Any] | None = None
    firing: FiringDraft | None = None
    idempotency: Idempotency | None = None
    start_at: datetime | None = None
    queued_firing_id: str | None = None
    depth: int = 0
    input_path: tuple[str, ...] = ("input", "input")


@dataclass(frozen=True, slots=True)
class Launched:
    """The execution: a new one, or the first one of the same key or message."""

    execution_id: str
    is_new: bool
    firing_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    """What an execution begins with: its input, the versions of its prompts, and a wait."""

    input: dict[str, Any]
    pins: Pins
    wait: timedelta


def request_digest(*parts: Any) -> str:
    """Return the SHA-256, in hex, of what a caller asked; equal questions have equal digests."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Launcher:
    """Starts executions. One per process."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        versions: Versions,
        clock: Clock,
        max_input_bytes: int = 256 * 1024,
    ) -> None:
        self._database = database
        self._committer = committer
        self._versions = versions
        self._clock = clock
        self._max_input_bytes = max_input_bytes

    async def target(self, workspace_id: str, workflow_id: str) -> Target:
        """Return the workflow as it is now. Raises `NotFound`, also for another workspace's."""
        rows = []
        if ids.is_id(workflow_id, ids.Kind.WORKFLOW):
            rows = await self._database.fetch(_TARGET, workflow_id, workspace_id)
        if not rows:
            raise NotFound("There is no such workflow.", workflow_id, ("input", "workflowId"))
        row = rows[0]
        return Target(
            row["workspace_id"],
            row["id"],
            row["current_version_id"],
            row["revision"],
            bool(row["is_active"]),
        )

    async def launch(self, request: LaunchRequest) -> Launched:
        """Store one execution, or find the one that the same key or message started.

        Raises `InvalidStatus` for an inactive workflow (which a person may start all the same),
        `InvalidMany`, `InvalidInput` or `LimitExceeded` for the input, and `IdempotencyMismatch`
        for a key or message id that came before with other arguments; nothing is stored then.
        """
        _check_active(request)
        _check_key(request.idempotency)
        wait = self._wait(request.start_at)
        definition = await self._versions.get(request.target.version_id)
        filled = self.filled(definition, request.input, request.input_path)
        pins = await current_pins(request.target.workspace_id, definition)
        opening = _opening(request, definition, _Given(filled, pins, wait))
        opened_at = await self._committer.open(opening)
        if opened_at is None and await self._free_key(request):
            opened_at = await self._committer.open(opening)
        if opened_at is None:
            return await self._find_first(request)
        firing_id = request.firing.id if request.firing else None
        return Launched(opening.id, is_new=True, firing_id=firing_id)

    def filled(
        self, definition: Definition, values: Mapping[str, Any], path: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return an input with its defaults. Raises `InvalidMany` or `LimitExceeded`."""
        return inputs.fill(definition, values, path, max_bytes=self._max_input_bytes)

    async def find_first(self, workspace_id: str, given: Idempotency) -> Launched | None:
        """Return what the key started within 24 hours; None if it is free.

        Raises `IdempotencyMismatch` if other arguments came with it.
        """
        since = self._clock.now() - KEY_LIFETIME
        row = await _held(workspace_id, given).filter(created_at__gt=since).first()
        return None if row is None else _first_of(row, given)

    async def get_first(self, workspace_id: str, given: Idempotency) -> Launched:
        """Return what the key started, which has just refused another start.

        Raises `IdempotencyMismatch` if other arguments came with it.
        """
        return _first_of(await _held(workspace_id, given).get(), given)

    def _wait(self, start_at: datetime | None) -> timedelta:
        """Return how long to wait before the start. Raises `InvalidInput` beyond a year."""
        if start_at is None:
            return timedelta(0)
        wait = start_at - self._clock.now()
        if wait > _MAX_START_DELAY:
            message = "startAt is more than 365 days ahead."
            raise InvalidInput(message, ("input", "startAt"))
        return max(wait, timedelta(0))

    async def _free_key(self, request: LaunchRequest) -> bool:
        """Take the caller's key off a firing of more than 24 hours ago; tell if it is free now.

        The ids of messages of webhooks are never free again.
        """
        given = request.firing
        if given is None or request.trigger_type not in _WITH_KEYS:
            return False
        held = Firing.filter(
            trigger_id=given.trigger_id,
            dedupe_key=given.dedupe_key,
            outcome=FiringOutcome.STARTED.value,
        )
        old = held.filter(created_at__lte=self._clock.now() - KEY_LIFETIME)
        await self._database.retry(lambda: old.update(dedupe_key=None))
        return not await held.exists()

    async def _find_first(self, request: LaunchRequest) -> Launched:
        if request.queued_firing_id is not None:
            return await _find_by_id(request.queued_firing_id)
        if request.firing is not None and request.firing.scheduled_for is not None:
            return await _find_by_instant(request.firing)
        if request.firing is not None and request.trigger_type is TriggerType.EVENT:
            return await _find_by_id(request.firing.id)
        if request.firing is not None:
            return await self._find_by_firing(request.firing)
        assert request.idempotency is not None  # noqa: S101 -- nothing else refuses an opening
        return await self.get_first(request.target.workspace_id, request.idempotency)

    async def _find_by_firing(self, given: FiringDraft) -> Launched:
        """Return the execution of the same message, and record that it came again."""
        first = await Firing.filter(
            trigger_id=given.trigger_id,
            dedupe_key=given.dedupe_key,
            outcome__in=[FiringOutcome.STARTED.value, FiringOutcome.QUEUED.value],
        ).get()
        is_same = first.body_sha256 == given.body_sha256
        await self._record_repeat(given, first, is_same=is_same)
        if not is_same:
            raise IdempotencyMismatch(
                "The same message id came before with another body; send a new id."
            )
        return Launched(first.execution_id or "", is_new=False, firing_id=given.id)

    async def _record_repeat(self, given: FiringDraft, first: Firing, *, is_same: bool) -> None:
        code = None if is_same else IdempotencyMismatch.code
        await Firing.create(
            id=given.id,
            workspace_id=first.workspace_id,
            trigger_id=given.trigger_id,
            trigger_type=first.trigger_type,
            outcome=(FiringOutcome.DUPLICATE if is_same else FiringOutcome.REJECTED).value,
            dedupe_key=given.dedupe_key,
            body_sha256=given.body_sha256,
            scheme=given.scheme,
            is_verified=given.is_verified,
            failure_code=code,
            used_previous_secret=given.used_previous_secret,
            source_ip=given.source_ip,
            actor_id=given.actor_id,
            execution_id=first.execution_id,
            created_at=self._clock.now(),
        )


async def _find_by_instant(given: FiringDraft) -> Launched:
    """Return what another scheduler made of the same instant; it is no new firing."""
    first = (
        await Firing.filter(trigger_id=given.trigger_id, scheduled_for=given.scheduled_for)
        .exclude(outcome=FiringOutcome.DUPLICATE.value)
        .get()
    )
    return Launched(first.execution_id or "", is_new=False, firing_id=first.id)


async def _find_by_id(firing_id: str) -> Launched:
    """Return what another process made of a firing that was queued, or has the same id."""
    first = await Firing.get(id=firing_id)
    return Launched(first.execution_id or "", is_new=False, firing_id=first.id)


def _held(workspace_id: str, given: Idempotency) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.filter(
        workspace_id=workspace_id, operation=given.operation, key=given.key
    )


def _first_of(row: IdempotencyKey, given: Idempotency) -> Launched:
    if row.request_sha256 != given.request_sha256:
        raise IdempotencyMismatch(
            "The idempotency key was used before with other arguments; take a new key.",
            ("input", "idempotencyKey"),
        )
    return Launched(row.result_id, is_new=False)


def _check_active(request: LaunchRequest) -> None:
    if not request.target.is_active and request.trigger_type is not TriggerType.MANUAL:
        message = "The workflow is switched off: set isActive, or start it by hand."
        raise InvalidStatus(message, "INACTIVE", ("input", "workflowId"))


def _check_key(given: Idempotency | None) -> None:
    if given is not None and not 1 <= len(given.key) <= _MAX_KEY_LENGTH:
        message = f"An idempotency key has 1 to {_MAX_KEY_LENGTH} characters."
        raise InvalidInput(message, ("input", "idempotencyKey"))


def _opening(request: LaunchRequest, definition: Definition, given: _Given) -> Opening:
    target, firing, key = request.target, request.firing, request.idempotency
    wait_ms = -(-given.wait // timedelta(milliseconds=1))  # never a millisecond early
    execution: Columns = {
        "id": ids.new_id(ids.Kind.EXECUTION),
        "workspace_id": target.workspace_id,
        "workflow_id": target.workflow_id,
        "workflow_version_id": target.version_id,
        "workflow_revision": target.revision,
        "status": ExecutionStatus.WAITING.value if wait_ms else ExecutionStatus.PENDING.value,
        "wait_reason": WaitReason.DELAY.value if wait_ms else None,
        "trigger_type": request.trigger_type.value,
        "trigger_id": request.trigger_id,
        "firing_id": firing.id if firing else request.queued_firing_id,
        "trigger_data": _trigger_data(request, definition),
        "prompt_versions": stored_pins(given.pins),
        "started_by": request.started_by,
        "idempotency_key": key.key if key else None,
        "retry_of_id": None,
        "input": encode_json(given.input),
    }
    return Opening(
        execution,
        firing=_firing_columns(firing) if firing else None,
        idempotency=key_columns(target.workspace_id, key) if key else None,
        queued_firing_id=request.queued_firing_id,
        depth=request.depth,
        start_in_ms=wait_ms,
        deadline_in_ms=deadline_in_ms(definition),
    )


def deadline_in_ms(definition: Definition) -> int | None:
    """Return how long an execution may take from its start; None means without end."""
    seconds = definition.execution_timeout_seconds
    return None if seconds is None else seconds * 1000


def _trigger_data(request: LaunchRequest, definition: Definition) -> str | None:
    """Return what the trigger received, if a step reads it; otherwise it is not stored again."""
    if request.trigger_data is None or not reads_trigger_data(definition):
        return None
    return encode_json(dict(request.trigger_data))


def _firing_columns(firing: FiringDraft) -> Columns:
    payload = None if firing.payload is None else encode_json(firing.payload)
    columns = {name: getattr(firing, name) for name in firing.__slots__ if name != "id"}
    due = firing.scheduled_for
    return {**columns, "payload": payload, "scheduled_for": None if due is None else to_ms(due)}


def key_columns(workspace_id: str, key: Idempotency) -> Columns:
    """Return the row that admits one execution for a key."""
    return {
        "workspace_id": workspace_id,
        "operation": key.operation,
        "key": key.key,
        "request_sha256": key.request_sha256,
    }
