"""The signing secrets of triggers: made, sealed for their row, and opened to verify a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.engine.vault import Vault

Columns = dict[str, Any]

#: The columns of a trigger that has no secret.
NO_SECRET: Final[Columns] = {
    "secret_sealed": None,
    "secret_preview": None,
    "previous_secret_sealed": None,
    "previous_secret_until": None,
}


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """The secrets of one trigger, as they are stored."""

    workspace_id: str
    trigger_id: str
    current: str | None = field(repr=False)
    previous: str | None = field(default=None, repr=False)
    previous_until: datetime | None = None


class TriggerSecrets:
    """Seals and opens the secrets of triggers."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def columns(self, workspace_id: str, trigger_id: str, text: str) -> Columns:
        """Return the columns that make `text` the only secret of a trigger."""
        sealed = self._vault.seal(text, _context(workspace_id, trigger_id))
        preview = signatures.preview(text)
        return {**NO_SECRET, "secret_sealed": sealed, "secret_preview": preview}

    def active(self, sealed: SealedSecrets, now: datetime) -> list[str]:
        """Return the secrets that calls may be signed with now, the current one first."""
        until = sealed.previous_until
        is_in_grace = until is not None and now < until
        stored = [sealed.current, sealed.previous if is_in_grace else None]
        context = _context(sealed.workspace_id, sealed.trigger_id)
        return [self._vault.open(text, context).reveal() for text in stored if text is not None]


def new_secret(scheme: WebhookScheme) -> str:
    """Return the text of a fresh secret, as senders of `scheme` expect it."""
    return signatures.new_secret(scheme)


def superseded(sealed: str | None, now: datetime, grace: timedelta) -> Columns:
    """Return the columns that let the present secret work on for `grace` beside a new one."""
    if sealed is None or not grace:
        return {"previous_secret_sealed": None, "previous_secret_until": None}
    return {"previous_secret_sealed": sealed, "previous_secret_until": now + grace}


def _context(workspace_id: str, trigger_id: str) -> str:
    return f"{workspace_id}|{trigger_id}|secret"
