"""Makes, changes and deletes triggers, and gives them new secrets.

Rules: a secret is told once, to whoever made the server make it. A change is stored only if nobody
else changed the trigger since it was read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from tortoise.exceptions import IntegrityError

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.audit import AuditAction, note
from promptpilot.engine.definition import Definition
from promptpilot.engine.drafts import (
    UNSET,
    TriggerChange,
    TriggerConfig,
    TriggerDraft,
)
from promptpilot.engine.fields import check_given, check_line, check_revision, conflict
from promptpilot.engine.gathering import gather
from promptpilot.engine.ownership import find, not_found
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.configs import (
    check_config,
    check_default_input,
    stored_config,
    type_of,
)
from promptpilot.engine.triggers.next_runs import moved_columns, next_run
from promptpilot.engine.triggers.secrets import (
    Columns,
    TriggerSecrets,
    secret_in_place,
    secret_to_make,
)
from promptpilot.engine.versions import Versions
from promptpilot.errors import InvalidInput
from promptpilot.models import Trigger, Workflow
from promptpilot.models.database import Database

MAX_GRACE: Final = timedelta(days=30)
#: How often a change without an expected revision is tried when others change the same trigger.
_TRIES: Final = 5
_NAME: Final = ("input", "name")
_INPUT: Final = ("input", "input")
#: Columns that the audit log says were changed.
_TOLD: Final = frozenset({"name", "type", "config", "input", "is_active"})

Noting = Callable[..., Awaitable[None]]


class Triggers:
    """The verbs of triggers."""

    def __init__(
        self, database: Database, clock: Clock, secrets: TriggerSecrets, versions: Versions
    ) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets
        self._versions = versions

    async def create(self, principal: Principal, draft: TriggerDraft) -> tuple[Trigger, str | None]:
        """Store a trigger; return it, and its secret if the server made one.

        Raises NotFound for the workflow, InvalidInput or InvalidMany; then nothing was stored.
        """
        path = ("input", "workflowId")
        definition = await self._definition(principal, draft.workflow_id, path)
        gather(
            partial(check_line, draft.name, _NAME),
            partial(check_config, draft.config, definition, self._clock.now()),
            partial(check_default_input, draft.input, definition, _INPUT),
        )
        row = self._new_row(principal, draft)
        secret = secret_to_make(draft.config, None)
        row.update_from_dict(self._secrets.config_columns(row, draft.config, secret))
        row.next_run_at = next_run(row, row.created_at)
        try:
            await self._database.retry(partial(self._store_new, principal, row))
        except IntegrityError as error:  # the workflow was deleted in between
            raise not_found(ids.Kind.WORKFLOW, draft.workflow_id, path) from error
        return row, secret

    async def update(
        self, principal: Principal, change: TriggerChange
    ) -> tuple[Trigger, str | None]:
        """Change a trigger; return it, and its secret if the server made a new one.

        A secret that the caller gives replaces the one there is at once. Raises NotFound,
        Conflict, InvalidInput or InvalidMany; then nothing was stored.
        """
        for _ in range(_TRIES):
            row = await find(Trigger, ids.Kind.TRIGGER, principal, change.id)
            check_revision(change.expected_revision, row.revision)
            await self._check(principal, change, row)
            config = change.config or None
            secret = None if config is None else secret_to_make(config, row)
            columns = self._changed_columns(change, row, secret)
            did = partial(note, principal, AuditAction.TRIGGER_UPDATED, row.id)
            if not columns or await self._overwrite(row, columns, did):
                return row, secret
        raise await self._conflict(principal, change.id)

    async def rotate_secret(
        self, principal: Principal, id: str, grace_seconds: int
    ) -> tuple[Trigger, str]:
        """Give a WEBHOOK or API trigger a new secret; the old one works for `grace_seconds` more.

        Raises NotFound, and InvalidInput for a trigger without a secret or a grace that is not
        0 to 30 days.
        """
        if not 0 <= grace_seconds <= MAX_GRACE.total_seconds():
            message = f"graceSeconds is {grace_seconds}; it must be 0 to {MAX_GRACE.days} days."
            raise InvalidInput(message, ("input", "graceSeconds"))
        for _ in range(_TRIES):
            row = await find(Trigger, ids.Kind.TRIGGER, principal, id)
            secret = secret_in_place(row)
            grace = timedelta(seconds=grace_seconds)
            columns = self._secrets.rotated_columns(row, secret, self._clock.now(), grace)
            did = partial(note, principal, AuditAction.TRIGGER_SECRET_ROTATED, row.id)
            if await self._overwrite(row, columns, did):
                return row, secret
        raise await self._conflict(principal, id)

    async def delete(self, principal: Principal, id: str) -> str:
        """Delete a trigger; its firings and executions stay. Raise NotFound."""
        if not ids.is_id(id, ids.Kind.TRIGGER):
            raise not_found(ids.Kind.TRIGGER, id)
        if not await self._database.retry(partial(self._remove, principal, id)):
            raise not_found(ids.Kind.TRIGGER, id)
        return id

    async def _store_new(self, principal: Principal, row: Trigger) -> None:
        async with self._database.transaction():
            if await Trigger.exists(id=row.id):  # the first try was committed after all
                return
            await row.save(force_create=True)
            done, at = AuditAction.TRIGGER_CREATED, row.created_at
            await note(principal, done, row.id, at, type=row.type, workflowId=row.workflow_id)

    async def _remove(self, principal: Principal, id: str) -> int:
        async with self._database.transaction():
            count = await Trigger.filter(id=id, workspace_id=principal.workspace_id).delete()
            if count:
                await note(principal, AuditAction.TRIGGER_DELETED, id, self._clock.now())
            return count

    async def _definition(
        self, principal: Principal, workflow_id: str, path: tuple[str, ...]
    ) -> Definition:
        workflow = await find(Workflow, ids.Kind.WORKFLOW, principal, workflow_id, path)
        return await self._versions.get(workflow.current_version_id)

    def _new_row(self, principal: Principal, draft: TriggerDraft) -> Trigger:
        now = self._clock.now()
        return Trigger(
            id=ids.new_id(ids.Kind.TRIGGER),
            workspace_id=principal.workspace_id,
            workflow_id=draft.workflow_id,
            name=draft.name,
            type=type_of(draft.config).value,
            is_active=draft.is_active,
            config=stored_config(draft.config),
            input=dict(draft.input),
            revision=1,
            created_by=principal.user_id,
            created_at=now,
            updated_at=now,
        )

    async def _check(self, principal: Principal, change: TriggerChange, row: Trigger) -> None:
        definition = await self._definition(principal, row.workflow_id, ("input", "id"))
        checks: list[partial[None]] = []
        if change.name is not UNSET:
            checks.append(partial(check_line, change.name, _NAME))
        if change.is_active is not UNSET:
            checks.append(partial(check_given, change.is_active, ("input", "isActive")))
        if change.input is not UNSET:
            checks.append(partial(check_default_input, change.input or {}, definition, _INPUT))
        if change.config is None:
            checks.append(partial(check_given, None, ("input", "config")))
        elif change.config is not UNSET:
            now = self._clock.now()
            checks.append(partial(check_config, change.config, definition, now))
        gather(*checks)

    def _changed_columns(self, change: TriggerChange, row: Trigger, secret: str | None) -> Columns:
        asked: Columns = {}
        if change.name is not UNSET:
            asked["name"] = change.name
        if change.input is not UNSET:
            asked["input"] = dict(change.input or {})
        if change.is_active is not UNSET:
            asked["is_active"] = change.is_active
        if change.config:
            asked |= self._config_columns(change.config, row, secret)
        if change.is_active and not row.is_active:
            asked |= {"paused_reason": None, "consecutive_failures": 0}
        changed = {name: value for name, value in asked.items() if getattr(row, name) != value}
        # Written even if it is what was read: a scheduler may have moved it on meanwhile.
        return {**changed, **moved_columns(row, changed, self._clock.now())}

    def _config_columns(self, config: TriggerConfig, row: Trigger, secret: str | None) -> Columns:
        return {
            "type": type_of(config).value,
            "config": stored_config(config),
            **self._secrets.config_columns(row, config, secret),
        }

    async def _overwrite(self, row: Trigger, columns: Columns, did: Noting) -> bool:
        """Store columns in a trigger that nobody changed since it was read; tell whether so.

        `did` notes in the audit log what was done.
        """
        revision = row.revision
        changed = {**columns, "revision": revision + 1, "updated_at": self._clock.now()}
        mine = Trigger.filter(id=row.id, workspace_id=row.workspace_id, revision=revision)
        row.update_from_dict(changed)

        async def store() -> int:
            async with self._database.transaction():
                count = await mine.update(**changed)
                if count:
                    await did(row.updated_at, fields=sorted(columns.keys() & _TOLD))
                return count

        return await self._database.retry(store) > 0

    async def _conflict(self, principal: Principal, id: str) -> Exception:
        row = await find(Trigger, ids.Kind.TRIGGER, principal, id)
        return conflict(row.revision)
