"""Who changed a secret, a trigger or somebody's access, and when.

Rules: an entry is stored in the transaction of what it tells of. It names what was changed, never
a secret.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from promptpilot import ids
from promptpilot.engine.principal import Principal
from promptpilot.models import AuditEntry


class AuditAction(StrEnum):
    """What was done."""

    USER_REGISTERED = "USER_REGISTERED"
    SESSION_ENDED = "SESSION_ENDED"
    #: A refresh token came again that was exchanged before: its session was ended.
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 -- a name
    ACCESS_TOKEN_CREATED = "ACCESS_TOKEN_CREATED"  # noqa: S105 -- a name
    ACCESS_TOKEN_REVOKED = "ACCESS_TOKEN_REVOKED"  # noqa: S105 -- a name
    TRIGGER_CREATED = "TRIGGER_CREATED"
    TRIGGER_UPDATED = "TRIGGER_UPDATED"
    TRIGGER_SECRET_ROTATED = "TRIGGER_SECRET_ROTATED"  # noqa: S105 -- a name
    TRIGGER_DELETED = "TRIGGER_DELETED"
    SIGNING_SECRET_ROTATED = "SIGNING_SECRET_ROTATED"  # noqa: S105 -- a name
    CREDENTIAL_CREATED = "CREDENTIAL_CREATED"
    CREDENTIAL_UPDATED = "CREDENTIAL_UPDATED"
    CREDENTIAL_ROTATED = "CREDENTIAL_ROTATED"
    CREDENTIAL_REVOKED = "CREDENTIAL_REVOKED"
    ENDPOINT_CREATED = "ENDPOINT_CREATED"
    ENDPOINT_UPDATED = "ENDPOINT_UPDATED"
    ENDPOINT_DELETED = "ENDPOINT_DELETED"


async def note(
    principal: Principal, action: AuditAction, object_id: str, at: datetime, **details: Any
) -> None:
    """Store what `principal` does to an object. Call it in the transaction that does it."""
    await AuditEntry(
        id=ids.new_id(ids.Kind.AUDIT_ENTRY),
        workspace_id=principal.workspace_id,
        actor_id=principal.user_id,
        token_id=principal.token_id,
        action=action.value,
        object_id=object_id,
        details=details,
        created_at=at,
    ).save(force_create=True)
