"""A trigger as it is when it is called: read with its workflow in one query, never kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from promptpilot import ids
from promptpilot.clock import from_ms
from promptpilot.engine.launch import Target
from promptpilot.engine.ownership import not_found
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.triggers.secrets import SealedSecrets
from promptpilot.models.columns import load_json
from promptpilot.models.database import Database

#: What `receiver_of` reads, of the tables that come next.
COLUMNS: Final = """t.id, t.workspace_id, t.workflow_id, t.type, t.config, t.input, t.is_active,
    t.secret_sealed, t.previous_secret_sealed, t.previous_secret_until,
    t.secret_sha256, t.previous_secret_sha256,
    w.current_version_id, w.revision, w.is_active AS is_workflow_active"""
TABLES: Final = "triggers t JOIN workflows w ON w.id = t.workflow_id"
_SELECT: Final = f"SELECT {COLUMNS} FROM {TABLES}"  # noqa: S608 -- constants
_WEBHOOK: Final = f"{_SELECT} WHERE t.id = $1 AND t.type = 'WEBHOOK'"
_API: Final = f"{_SELECT} WHERE t.id = $1 AND t.type = 'API'"
_OWNED: Final = f"{_SELECT} WHERE t.id = $1 AND t.workspace_id = $2"
_LISTENING: Final = f"""{_SELECT}
WHERE t.workspace_id = $1 AND t.type = 'EVENT' AND t.id > $2 ORDER BY t.id LIMIT $3"""


@dataclass(frozen=True, slots=True)
class KeyDigests:
    """The SHA-256 of the keys of an API trigger; the previous one works until its instant."""

    current: str | None = field(repr=False)
    previous: str | None = field(default=None, repr=False)
    previous_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A trigger and the workflow it starts. `input` is the default input."""

    id: str
    type: TriggerType
    config: Mapping[str, Any]
    input: Mapping[str, Any]
    is_active: bool
    target: Target
    secrets: SealedSecrets = field(repr=False)
    keys: KeyDigests = field(repr=False)

    @property
    def is_on(self) -> bool:
        """Whether calls start something: neither trigger nor workflow is switched off."""
        return self.is_active and self.target.is_active

    def input_with(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the default input with the given values over it; null is no value."""
        values = {name: value for name, value in given.items() if value is not None}
        return {**self.input, **values}


async def find_webhook(database: Database, trigger_id: str) -> Receiver:
    """Return the WEBHOOK trigger with this id, whoever owns it. Raise NotFound for all others."""
    return await _find(database, _WEBHOOK, trigger_id)


async def find_api(database: Database, trigger_id: str) -> Receiver:
    """Return the API trigger with this id, whoever owns it. Raise NotFound for all others."""
    return await _find(database, _API, trigger_id)


async def find_owned(database: Database, principal: Principal, trigger_id: str) -> Receiver:
    """Return the caller's trigger with this id. Raise NotFound for all others."""
    return await _find(database, _OWNED, trigger_id, principal.workspace_id)


async def find_listening(
    database: Database, workspace_id: str, after_id: str, limit: int
) -> list[Receiver]:
    """Return at most `limit` EVENT triggers of a workspace, whatever they listen for, by id."""
    rows = await database.fetch(_LISTENING, workspace_id, after_id, limit)
    return [receiver_of(row) for row in rows]


async def _find(database: Database, sql: str, trigger_id: str, *others: str) -> Receiver:
    rows = []
    if ids.is_id(trigger_id, ids.Kind.TRIGGER):
        rows = await database.fetch(sql, trigger_id, *others)
    if not rows:
        raise not_found(ids.Kind.TRIGGER, trigger_id)
    return receiver_of(rows[0])


def receiver_of(row: Mapping[str, Any]) -> Receiver:
    """Return the trigger and its workflow of a row of COLUMNS."""
    until_ms = row["previous_secret_until"]
    until = None if until_ms is None else from_ms(until_ms)
    return Receiver(
        id=row["id"],
        type=TriggerType(row["type"]),
        config=load_json(row["config"]),
        input=load_json(row["input"]),
        is_active=bool(row["is_active"]),
        target=Target(
            row["workspace_id"],
            row["workflow_id"],
            row["current_version_id"],
            row["revision"],
            bool(row["is_workflow_active"]),
        ),
        secrets=SealedSecrets(
            row["workspace_id"],
            row["id"],
            row["secret_sealed"],
            row["previous_secret_sealed"],
            until,
        ),
        keys=KeyDigests(row["secret_sha256"], row["previous_secret_sha256"], until),
    )
