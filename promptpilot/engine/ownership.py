"""Finds what a workspace owns; whatever it does not own looks like what does not exist."""

from __future__ import annotations

from typing import TypeVar

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.errors import NotFound
from promptpilot.models import (
    AccessToken,
    Credential,
    Prompt,
    Trigger,
    WebhookDelivery,
    WebhookEndpoint,
    Workflow,
)

Owned = TypeVar(
    "Owned", Workflow, Trigger, Prompt, AccessToken, Credential, WebhookEndpoint, WebhookDelivery
)
Path = tuple[str, ...]

#: Where the id stands in the arguments of most verbs.
ID_PATH: Path = ("input", "id")


async def find(
    table: type[Owned], kind: ids.Kind, principal: Principal, id: str, path: Path = ID_PATH
) -> Owned:
    """Return the caller's row with this id.

    Raises the same NotFound for a malformed id, a random one and one of another workspace.
    """
    if ids.is_id(id, kind):
        row = await table.get_or_none(id=id, workspace_id=principal.workspace_id)
        if row is not None:
            return row
    raise not_found(kind, id, path)


def not_found(kind: ids.Kind, id: str, path: Path = ID_PATH) -> NotFound:
    """Make the error for an id that leads nowhere."""
    noun = kind.name.lower().replace("_", " ")
    return NotFound(f"There is no {noun} with this id.", id, path)
