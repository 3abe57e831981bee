"""Seals what an old master key sealed anew with the first key of the ring.

Rules: a secret is replaced only if it is still the one that was read, so workers and callers may go
on meanwhile. What does not open is told and left as it is.

After a crash: run it again; what is done is not done twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from promptpilot.engine.credential_secrets import context_of
from promptpilot.engine.endpoints.secrets import endpoint_context
from promptpilot.engine.signing_secrets import signing_context
from promptpilot.engine.step_secrets import header_context
from promptpilot.engine.triggers.secrets import trigger_context
from promptpilot.engine.vault import Vault, VaultError
from promptpilot.models import Credential, SigningSecret, StepSecret, Trigger, WebhookEndpoint
from promptpilot.models.columns import Row
from promptpilot.models.database import Database

_BATCH: Final = 200
#: A row that changes while it is sealed anew is found by the next pass.
_MAX_PASSES: Final = 5
_BOTH: Final = ("secret_sealed", "previous_secret_sealed")


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table with sealed columns, and what they are bound to in each row."""

    table: type[Row]
    columns: tuple[str, ...]
    context: Callable[[Any], str]
    has_fingerprint: bool = False

    @property
    def name(self) -> str:
        """What the table is called."""
        return str(self.table._meta.db_table)  # noqa: SLF001 -- Tortoise has no other way


#: Every place where something is sealed.
SEALED_TABLES: Final = (
    SealedTable(Credential, ("secret_sealed",), context_of, has_fingerprint=True),
    SealedTable(
        StepSecret, ("secret_sealed",), lambda row: header_context(row.workspace_id, row.id)
    ),
    SealedTable(SigningSecret, _BOTH, lambda row: signing_context(row.workspace_id)),
    SealedTable(WebhookEndpoint, ("secret_sealed",), endpoint_context),
    SealedTable(Trigger, _BOTH, lambda row: trigger_context(row.workspace_id, row.id)),
)


@dataclass(frozen=True, slots=True)
class Count:
    """What was found in one table. `unopened` are the ids of rows that do not open."""

    table: str
    sealed: int
    old: int
    unopened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """One sealed text, as it was read; `plain` is None if it does not open."""

    key: str
    column: str
    sealed: str
    context: str
    plain: str | None = field(repr=False)
    is_old: bool


class Rekeying:
    """Looks through everything sealed, and seals it anew."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def survey(self) -> list[Count]:
        """Return what is sealed with an old key; change nothing."""
        return [await _counted(each, self._found(each)) for each in SEALED_TABLES]

    async def rotate(self) -> list[Count]:
        """Seal everything with the first key; return what was sealed with another before."""
        return [await self._rotated(each) for each in SEALED_TABLES]

    async def _rotated(self, place: SealedTable) -> Count:
        count = Count(place.name, 0, 0)
        for _ in range(_MAX_PASSES):
            seen = await _counted(place, self._replaced(place))
            count = Count(place.name, seen.sealed, count.old + seen.old, seen.unopened)
            if not seen.old:
                break
        return count

    async def _replaced(self, place: SealedTable) -> AsyncIterator[_Found]:
        async for each in self._found(place):
            if each.is_old and each.plain is not None:
                await self._database.retry(partial(self._replace, place, each, each.plain))
            yield each

    async def _replace(self, place: SealedTable, old: _Found, plain: str) -> None:
        columns = {old.column: self._vault.seal(plain, old.context)}
        if place.has_fingerprint:
            columns["fingerprint"] = self._vault.fingerprint(plain)
        same = place.table.filter(**{"pk": old.key, old.column: old.sealed})
        await same.update(**columns)

    async def _found(self, place: SealedTable) -> AsyncIterator[_Found]:
        key, after = place.table._meta.pk_attr, ""  # noqa: SLF001 -- Tortoise has no other way
        while rows := await place.table.filter(pk__gt=after).order_by(key).limit(_BATCH):
            for row in rows:
                for each in self._sealed(place, row):
                    yield each
            after = rows[-1].pk

    def _sealed(self, place: SealedTable, row: Row) -> Iterator[_Found]:
        context = place.context(row)
        for column in place.columns:
            if sealed := getattr(row, column):  # what was erased is empty
                plain = self._opened(sealed, context)
                is_old = plain is not None and self._vault.needs_rekey(sealed)
                yield _Found(row.pk, column, sealed, context, plain, is_old)

    def _opened(self, sealed: str, context: str) -> str | None:
        try:
            return self._vault.open(sealed, context).reveal()
        except VaultError:
            return None


async def _counted(place: SealedTable, found: AsyncIterator[_Found]) -> Count:
    sealed = old = 0
    unopened: dict[str, None] = {}
    async for each in found:
        sealed += 1
        old += each.is_old
        if each.plain is None:
            unopened[each.key] = None
    return Count(place.name, sealed, old, tuple(unopened))
