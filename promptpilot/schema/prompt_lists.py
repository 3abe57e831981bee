"""Which prompts and versions lists show, and in which order."""

from __future__ import annotations

from typing import Final

from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.models import Prompt, PromptVersion
from promptpilot.models.database import Database
from promptpilot.schema.conditions import by_ids, is_storable, made_in
from promptpilot.schema.enums import OrderDirection
from promptpilot.schema.filters import tagged, words
from promptpilot.schema.given import given
from promptpilot.schema.paging import Page, PageRequest, Sorting, page_of
from promptpilot.schema.prompt_enums import PromptOrderField
from promptpilot.schema.types.prompt_input import PromptFilter, PromptOrder

_NOTHING: Final = Q(id__in=[])
_KEYS: Final = {
    PromptOrderField.NAME: '"prompts"."name"',
    PromptOrderField.CREATED_AT: '"prompts"."created_at"',
    PromptOrderField.UPDATED_AT: '"prompts"."updated_at"',
}


async def prompts(
    database: Database, principal: Principal, where: PromptFilter | None
) -> QuerySet[Prompt]:
    """Return the caller's prompts that a filter lets through."""
    own = Prompt.filter(workspace_id=principal.workspace_id, deleted_at__isnull=True)
    if not where:
        return own
    found = made_in(by_ids(own, "id", where.ids, ids.Kind.PROMPT), where.created_at)
    for word in words(given(where.search) or ""):
        found = found.filter(_contains(own, word) if is_storable(word) else _NOTHING)
    if tags := given(where.tags):
        found = found.filter(id__in=await tagged(database, principal, "prompts", tags))
    return found


async def prompt_page(
    found: QuerySet[Prompt], order: PromptOrder | None, page: PageRequest
) -> Page[Prompt]:
    """Return a page of prompts, the last changed first unless another order is asked for."""
    order = order or PromptOrder()
    key_type = str if order.field is PromptOrderField.NAME else int
    is_descending = order.direction is OrderDirection.DESC
    sorting = Sorting(f"prompts.{order.field}", _KEYS[order.field], is_descending, key_type)
    return await page_of(found, sorting, page)


def _contains(own: QuerySet[Prompt], word: str) -> Q:
    """Select the prompts with a word in name, description, or what the current version says."""
    said = Q(content__icontains=word) | Q(instructions__icontains=word)
    versions = PromptVersion.filter(said, prompt_id__in=Subquery(own.values("id")))
    return (
        Q(name__icontains=word)
        | Q(description__icontains=word)
        | Q(current_version_id__in=Subquery(versions.values("id")))
    )
