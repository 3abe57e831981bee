"""Makes, changes, copies and deletes workflows.

Rules: a definition is checked before it is stored. Row, steps, variables and version are stored in
one transaction. A version is added only when the definition changed, and never changes itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine import checks
from promptpilot.engine.credential_checks import refused_credentials
from promptpilot.engine.definition import Definition, digest, load
from promptpilot.engine.drafts import UNSET, WorkflowChange, WorkflowDraft
from promptpilot.engine.fields import MAX_NAME, check_line, check_revision, conflict
from promptpilot.engine.gathering import gather, raise_all
from promptpilot.engine.header_secrets import Sealed, sealed
from promptpilot.engine.identities import check_ids, identified, renewed
from promptpilot.engine.ownership import ID_PATH, find
from promptpilot.engine.principal import Principal
from promptpilot.engine.prompt_uses import hold, refused_uses
from promptpilot.engine.step_secrets import SecretStore
from promptpilot.engine.step_texts import storable
from promptpilot.engine.workflow_fields import Asked, columns_of, field_checks, overwrite
from promptpilot.engine.workflow_rows import replace_parts, version_row
from promptpilot.errors import InvalidStatus, InvariantBroken
from promptpilot.models import StepSecret, Workflow, WorkflowVersion
from promptpilot.models.database import Database

#: How often a change without an expected revision is tried when others change the same workflow.
_TRIES: Final = 5


class Executions(Protocol):
    """What deleting a workflow must know of its executions."""

    async def cancel_all(self, workflow_id: str) -> list[str]:
        """Ask every unfinished execution of a workflow to stop; return their ids."""
        ...

    async def unfinished_count(self, workflow_id: str) -> int:
        """Count the executions that are not final."""
        ...


@dataclass(frozen=True, slots=True)
class _Current:
    """A workflow as it was read, with its newest version."""

    row: Workflow
    number: int
    definition: Definition


class Workflows:
    """The verbs of workflows."""

    def __init__(
        self, database: Database, clock: Clock, executions: Executions, secrets: SecretStore
    ) -> None:
        self._database = database
        self._clock = clock
        self._executions = executions
        self._secrets = secrets

    async def create(self, principal: Principal, draft: WorkflowDraft) -> Workflow:
        """Store a workflow with its first version. Raise InvalidInput or InvalidMany."""
        made = await self._checked(principal, draft)
        return await self._store_new(self._new_row(principal, columns_of(draft)), made)

    async def try_draft(self, principal: Principal, draft: WorkflowDraft) -> Definition:
        """Return the definition that `create` would store. Raise as it does; store nothing."""
        return (await self._checked(principal, draft)).definition

    async def update(self, principal: Principal, change: WorkflowChange) -> Workflow:
        """Change a workflow; its revision grows by one if anything is different afterwards.

        Raises NotFound, Conflict, InvalidInput or InvalidMany; then nothing was stored.
        """
        for _ in range(_TRIES):
            current = await self._read(principal, change.id)
            check_revision(change.expected_revision, current.row.revision)
            changed = await self._try_update(principal, change, current)
            if changed is not None:
                return changed
        raise conflict((await self._read(principal, change.id)).row.revision)

    async def duplicate(self, principal: Principal, id: str, name: str | None) -> Workflow:
        """Copy a workflow with steps and variables. Raise NotFound or InvalidInput."""
        if name is not None:
            check_line(name, ("input", "name"))
        current = await self._read(principal, id)
        columns = {
            "name": name or f"{current.row.name[: MAX_NAME - 7]} (copy)",
            "description": current.row.description,
            "tags": current.row.tags,
            "metadata": current.row.metadata,
            "is_active": current.row.is_active,
            "execution_timeout_seconds": current.row.execution_timeout_seconds,
        }
        copy = Sealed(renewed(current.definition), ())  # secrets are the workspace's, not a step's
        return await self._store_new(self._new_row(principal, columns), copy)

    async def delete(self, principal: Principal, id: str, *, cancel_running: bool) -> list[str]:
        """Delete a workflow with its triggers; return the ids of executions that were cancelled.

        Raises NotFound, and InvalidStatus when executions are unfinished and not to be cancelled.
        """
        await find(Workflow, ids.Kind.WORKFLOW, principal, id)
        if not cancel_running:
            await self._database.retry(partial(self._delete_idle, principal, id))
            return []
        before = await self._executions.cancel_all(id)
        await self._database.retry(Workflow.filter(**_mine(principal, id)).delete)
        in_between = await self._executions.cancel_all(id)  # launched since
        return [*before, *in_between]

    async def _checked(self, principal: Principal, draft: WorkflowDraft) -> Sealed:
        """Return a draft as it can be stored; raise InvalidInput or InvalidMany."""
        asked = Definition(
            draft.steps or (), draft.variables or (), draft.execution_timeout_seconds
        )
        made = self._made(principal, draft, asked, Definition())
        await self._check(principal, made.definition)
        return made

    async def _read(self, principal: Principal, id: str) -> _Current:
        row = await find(Workflow, ids.Kind.WORKFLOW, principal, id)
        version = await WorkflowVersion.get_or_none(id=row.current_version_id)
        if version is None:
            raise InvariantBroken(f"The current version of workflow {id} does not exist.")
        return _Current(row, version.number, load(version.definition))

    async def _try_update(
        self, principal: Principal, change: WorkflowChange, current: _Current
    ) -> Workflow | None:
        """Return the changed row; None when somebody else changed it since it was read."""
        before = current.definition
        made = self._made(principal, change, _changed(change, before), before)
        columns = _different(columns_of(change), current.row)
        if digest(made.definition) != digest(before):
            await self._check(principal, made.definition)
        elif not columns:
            return current.row
        return await self._store_change(principal, current, made, columns)

    def _made(
        self, principal: Principal, given: Asked, asked: Definition, before: Definition
    ) -> Sealed:
        """Return `asked` with ids and without secrets; raise InvalidInput or InvalidMany."""
        gather(
            *field_checks(given),
            *storable(asked.steps, asked.variables),
            lambda: check_ids(asked.steps, before),
        )
        seal = partial(self._secrets.seal, principal.workspace_id)
        return sealed(identified(asked, before), before, seal)

    async def _check(self, principal: Principal, definition: Definition) -> None:
        checks.require_valid(definition)
        workspace_id = principal.workspace_id
        prompts = await refused_uses(workspace_id, definition)
        raise_all([*prompts, *await refused_credentials(workspace_id, definition)])

    def _new_row(self, principal: Principal, columns: dict[str, Any]) -> Workflow:
        now = self._clock.now()
        return Workflow(
            id=ids.new_id(ids.Kind.WORKFLOW),
            workspace_id=principal.workspace_id,
            revision=1,
            created_by=principal.user_id,
            created_at=now,
            updated_at=now,
            **columns,
        )

    async def _store_new(self, row: Workflow, made: Sealed) -> Workflow:
        version = version_row(row, made.definition, number=1)
        row.current_version_id = version.id

        async def store() -> None:
            async with self._database.transaction():
                if await Workflow.exists(id=row.id):  # the first try was committed after all
                    return
                await row.save(force_create=True)
                await version.save(force_create=True)
                await hold(made.definition)
                await replace_parts(row.id, made.definition)
                await StepSecret.bulk_create(made.rows)

        await self._database.retry(store)
        return row

    async def _store_change(
        self,
        principal: Principal,
        current: _Current,
        made: Sealed,
        columns: dict[str, Any],
    ) -> Workflow | None:
        """Store the next revision, unless somebody else did since `current` was read: None."""
        row, revision = current.row, current.row.revision
        row.update_from_dict({**columns, "revision": revision + 1, "updated_at": self._clock.now()})
        version = None
        if digest(made.definition) != digest(current.definition):
            version = version_row(row, made.definition, current.number + 1)
            version.created_by = principal.user_id
            row.current_version_id = version.id

        async def store() -> bool:
            async with self._database.transaction():
                if not await overwrite(row, revision):
                    return False
                if version is not None:
                    await version.save(force_create=True)
                    await hold(made.definition)
                    await replace_parts(row.id, made.definition)
                    await StepSecret.bulk_create(made.rows)
                return True

        return row if await self._database.retry(store) else None

    async def _delete_idle(self, principal: Principal, id: str) -> None:
        async with self._database.transaction():
            await Workflow.filter(**_mine(principal, id)).delete()
            count = await self._executions.unfinished_count(id)
            if count:
                message = f"{count} executions are unfinished; cancel them or set cancelRunning."
                raise InvalidStatus(message, "RUNNING", ID_PATH)


def _changed(change: WorkflowChange, before: Definition) -> Definition:
    """Return what a change asks for, with everything else as it was."""
    timeout = change.execution_timeout_seconds
    return Definition(
        steps=before.steps if change.steps is UNSET else change.steps or (),
        variables=before.variables if change.variables is UNSET else change.variables or (),
        execution_timeout_seconds=before.execution_timeout_seconds if timeout is UNSET else timeout,
    )


def _different(columns: dict[str, Any], row: Workflow) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if getattr(row, name) != value}


def _mine(principal: Principal, id: str) -> dict[str, str]:
    return {"id": id, "workspace_id": principal.workspace_id}
