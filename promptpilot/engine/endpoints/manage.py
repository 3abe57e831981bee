"""Makes, changes and deletes endpoints, and asks for deliveries again.

Rules: the secret is told once, when the endpoint is made. Deliveries outlive their endpoint.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.audit import AuditAction, note
from promptpilot.engine.endpoints.backlog import Backlog
from promptpilot.engine.endpoints.drafts import (
    WORKFLOWS,
    EndpointChange,
    EndpointDraft,
    change_checks,
    columns_of,
    draft_checks,
    stored_types,
)
from promptpilot.engine.endpoints.kinds import WebhookEventType
from promptpilot.engine.endpoints.secrets import EndpointSecrets
from promptpilot.engine.gathering import gather, raise_all
from promptpilot.engine.ownership import find, not_found
from promptpilot.engine.principal import Principal, Scope, needs
from promptpilot.engine.vault import Vault
from promptpilot.errors import InvalidStatus, LimitExceeded
from promptpilot.models import WebhookDelivery, WebhookEndpoint, Workflow, Workspace
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database

#: Most endpoints of a workspace.
MAX_ENDPOINTS: Final = 50

_DELIVERY: Final = ("input", "deliveryId")
Columns = dict[str, Any]


class Endpoints:
    """The verbs of endpoints."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._secrets = EndpointSecrets(vault)
        self._clock = clock
        self._backlog = Backlog(database, clock)

    @needs(Scope.READ)
    async def mine(self, principal: Principal) -> list[WebhookEndpoint]:
        """Return the caller's endpoints, the newest first."""
        rows = WebhookEndpoint.filter(workspace_id=principal.workspace_id)
        return await rows.order_by("-created_at", "-id").limit(MAX_ENDPOINTS)

    @needs(Scope.WRITE)
    async def create(
        self, principal: Principal, draft: EndpointDraft
    ) -> tuple[WebhookEndpoint, str]:
        """Store an endpoint; return it and its secret, which is told this once.

        Raises InvalidInput, InvalidMany, NotFound for a workflow, and LimitExceeded.
        """
        gather(*draft_checks(draft))
        await self._check_workflows(principal, draft.workflow_ids)
        row = self._new_row(principal, draft)
        secret = self._secrets.give(row)
        await self._database.retry(partial(self._store, principal, row))
        return row, secret

    @needs(Scope.WRITE)
    async def update(self, principal: Principal, change: EndpointChange) -> WebhookEndpoint:
        """Change an endpoint. One that is switched on again is told what waited meanwhile.

        Raises NotFound, InvalidInput or InvalidMany; then nothing was stored.
        """
        await find(WebhookEndpoint, ids.Kind.WEBHOOK_ENDPOINT, principal, change.id)
        gather(*change_checks(change))
        columns = columns_of(change)
        await self._check_workflows(principal, columns.get("workflow_ids", ()))
        row = await self._database.retry(partial(self._overwrite, principal, change.id, columns))
        if row is None:
            raise not_found(ids.Kind.WEBHOOK_ENDPOINT, change.id)
        return row

    @needs(Scope.WRITE)
    async def delete(self, principal: Principal, id: str) -> str:
        """Delete an endpoint; what it was not told yet is given up. Raise NotFound."""
        is_known = ids.is_id(id, ids.Kind.WEBHOOK_ENDPOINT)
        if not is_known or not await self._database.retry(partial(self._remove, principal, id)):
            raise not_found(ids.Kind.WEBHOOK_ENDPOINT, id)
        return id

    @needs(Scope.WRITE)
    async def redeliver(self, principal: Principal, delivery_id: str) -> WebhookDelivery:
        """Send a delivery again at once, under the same id, whatever came of it.

        Raises NotFound, and InvalidStatus when its endpoint is deleted or switched off.
        """
        kind = ids.Kind.WEBHOOK_DELIVERY
        row = await find(WebhookDelivery, kind, principal, delivery_id, _DELIVERY)
        endpoint = await WebhookEndpoint.get_or_none(id=row.endpoint_id)
        if endpoint is None:
            raise InvalidStatus("Its endpoint was deleted.", "DELETED", _DELIVERY)
        if not endpoint.is_active:
            message = "Its endpoint is switched off; set isActive to true first."
            raise InvalidStatus(message, "INACTIVE", _DELIVERY)
        await self._database.retry(partial(self._backlog.again, row.id))
        return await find(WebhookDelivery, kind, principal, delivery_id, _DELIVERY)

    async def _check_workflows(self, principal: Principal, workflow_ids: Any) -> None:
        """Raise NotFound, or InvalidMany, for workflows that are not the caller's."""
        wanted = list(dict.fromkeys(workflow_ids))
        known = [each for each in wanted if ids.is_id(each, ids.Kind.WORKFLOW)]
        mine = Workflow.filter(workspace_id=principal.workspace_id, id__in=known)
        found = set(await mine.values_list("id", flat=True)) if known else set()
        raise_all(
            [
                not_found(ids.Kind.WORKFLOW, each, (*WORKFLOWS, str(position)))
                for position, each in enumerate(workflow_ids)
                if each not in found
            ]
        )

    def _new_row(self, principal: Principal, draft: EndpointDraft) -> WebhookEndpoint:
        now = self._clock.now()
        types = stored_types(draft.event_types)
        return WebhookEndpoint(
            id=ids.new_id(ids.Kind.WEBHOOK_ENDPOINT),
            workspace_id=principal.workspace_id,
            url=draft.url,
            description=draft.description,
            is_active=True,
            event_types=types,
            workflow_ids=list(dict.fromkeys(draft.workflow_ids)),
            starts_since=now if WebhookEventType.EXECUTION_STARTED in types else None,
            created_by=principal.user_id,
            created_at=now,
            updated_at=now,
        )

    async def _store(self, principal: Principal, row: WebhookEndpoint) -> None:
        async with self._database.transaction():
            if await WebhookEndpoint.exists(id=row.id):  # the first try was committed after all
                return
            await self._lock_workspace(principal)
            if await WebhookEndpoint.filter(workspace_id=row.workspace_id).count() >= MAX_ENDPOINTS:
                message = f"There may be at most {MAX_ENDPOINTS} endpoints; delete one first."
                raise LimitExceeded(message, MAX_ENDPOINTS)
            await row.save(force_create=True)
            await note(principal, AuditAction.ENDPOINT_CREATED, row.id, row.created_at)

    async def _lock_workspace(self, principal: Principal) -> None:
        """Let nobody else make an endpoint here until the transaction ends."""
        if self._database.dialect is Dialect.POSTGRES:
            await Workspace.filter(id=principal.workspace_id).select_for_update()

    async def _overwrite(
        self, principal: Principal, id: str, columns: Columns
    ) -> WebhookEndpoint | None:
        async with self._database.transaction():
            mine = WebhookEndpoint.filter(id=id, workspace_id=principal.workspace_id)
            is_shared = self._database.dialect is Dialect.POSTGRES
            row = await (mine.select_for_update() if is_shared else mine).first()
            if row is None:
                return None
            before = {name: getattr(row, name) for name in columns}
            changed = {name: value for name, value in columns.items() if before[name] != value}
            if changed:
                await self._change(principal, row, changed)
            return row

    async def _change(self, principal: Principal, row: WebhookEndpoint, changed: Columns) -> None:
        now = self._clock.now()
        row.update_from_dict({**changed, "updated_at": now})
        is_told = row.is_active and WebhookEventType.EXECUTION_STARTED in row.event_types
        row.starts_since = (row.starts_since or now) if is_told else None
        if changed.get("is_active"):
            row.failing_since = row.disabled_reason = None
        await row.save()
        if "is_active" in changed:
            await (self._backlog.release if row.is_active else self._backlog.hold)(row.id)
        await note(principal, AuditAction.ENDPOINT_UPDATED, row.id, now, fields=sorted(changed))

    async def _remove(self, principal: Principal, id: str) -> int:
        async with self._database.transaction():
            mine = WebhookEndpoint.filter(id=id, workspace_id=principal.workspace_id)
            count = await mine.delete()
            if count:
                await self._backlog.give_up(id)
                await note(principal, AuditAction.ENDPOINT_DELETED, id, self._clock.now())
            return count
