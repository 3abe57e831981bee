"""What the audit log shows: the caller's entries, less what a filter leaves out."""

from __future__ import annotations

from typing import Final

from tortoise.queryset import QuerySet

from promptpilot.engine.principal import Principal
from promptpilot.models import AuditEntry
from promptpilot.schema.conditions import by_values, is_storable, made_in
from promptpilot.schema.given import given
from promptpilot.schema.paging import Page, PageRequest, Sorting, page_of
from promptpilot.schema.types.audit import AuditFilter

_MAX_COUNTED: Final = 10_000


def audit_entries(principal: Principal, where: AuditFilter | None) -> QuerySet[AuditEntry]:
    """Return the caller's entries that a filter lets through."""
    rows = AuditEntry.filter(workspace_id=principal.workspace_id)
    if not where:
        return rows
    rows = by_values(rows, "action", where.actions)
    if (objects := given(where.object_ids)) is not None:
        rows = rows.filter(object_id__in=[each for each in objects if is_storable(each)])
    return made_in(rows, where.created_at)


async def audit_page(rows: QuerySet[AuditEntry], page: PageRequest) -> Page[AuditEntry]:
    """Return a page of entries, the newest first."""
    sorting = Sorting("audit_log.CREATED_AT", '"audit_log"."created_at"', is_descending=True)
    return await page_of(rows, sorting, page, _MAX_COUNTED)
