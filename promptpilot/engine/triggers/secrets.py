"""The secrets of triggers: made, kept with their row, and opened to verify a call.

Rules: the secret of a WEBHOOK trigger is sealed, because signatures are computed with it; of the
key of an API trigger only the SHA-256 is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from promptpilot.engine.drafts import ApiConfig, TriggerConfig, WebhookConfig
from promptpilot.engine.tokens import hash_access_token, new_access_token
from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.engine.vault import Vault
from promptpilot.errors import InvalidInput
from promptpilot.models import Trigger

Columns = dict[str, Any]

#: How much of a key is shown: what stands before its secret part.
_KEY_START: Final = len("pp_01234567")
#: The columns of a trigger that has no secret.
NO_SECRET: Final[Columns] = {
    "secret_sealed": None,
    "secret_sha256": None,
    "secret_preview": None,
    "previous_secret_sealed": None,
    "previous_secret_sha256": None,
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

    def config_columns(self, row: Trigger, config: TriggerConfig, made: str | None) -> Columns:
        """Return the columns that change with a config and the secret `made` for it, if any."""
        match config:
            case ApiConfig():
                return {} if made is None else _key_columns(made)
            case WebhookConfig():
                text = made or config.secret
                return {} if text is None else self.columns(row.workspace_id, row.id, text)
            case _:
                return dict(NO_SECRET)

    def rotated_columns(self, row: Trigger, text: str, now: datetime, grace: timedelta) -> Columns:
        """Return the columns that make `text` the secret, the one before working on for `grace`."""
        is_key = row.type == TriggerType.API
        fresh = _key_columns(text) if is_key else self.columns(row.workspace_id, row.id, text)
        if not grace:
            return fresh
        return {
            **fresh,
            "previous_secret_sealed": row.secret_sealed,
            "previous_secret_sha256": row.secret_sha256,
            "previous_secret_until": now + grace,
        }

    def columns(self, workspace_id: str, trigger_id: str, text: str) -> Columns:
        """Return the columns that make `text` the only signing secret of a trigger."""
        sealed = self._vault.seal(text, trigger_context(workspace_id, trigger_id))
        preview = signatures.preview(text)
        return {**NO_SECRET, "secret_sealed": sealed, "secret_preview": preview}

    def active(self, sealed: SealedSecrets, now: datetime) -> list[str]:
        """Return the secrets that calls may be signed with now, the current one first."""
        until = sealed.previous_until
        is_in_grace = until is not None and now < until
        stored = [sealed.current, sealed.previous if is_in_grace else None]
        context = trigger_context(sealed.workspace_id, sealed.trigger_id)
        return [self._vault.open(text, context).reveal() for text in stored if text is not None]


def secret_to_make(config: TriggerConfig, row: Trigger | None) -> str | None:
    """Return a fresh secret if the config needs one and neither caller nor row has it."""
    match config:
        case ApiConfig():
            has_key = row is not None and row.type == TriggerType.API
            return None if has_key else new_access_token().text
        case WebhookConfig(secret=None):
            has_secret = row is not None and _scheme_of(row) is config.scheme
            return None if has_secret else signatures.new_secret(config.scheme)
        case _:
            return None


def secret_in_place(row: Trigger) -> str:
    """Return a fresh secret in the place of a trigger's own; raise InvalidInput if it has none."""
    if row.type == TriggerType.API:
        return new_access_token().text
    scheme = _scheme_of(row)
    if scheme is None:
        raise InvalidInput(f"The type {row.type} has no secret.", ("input", "id"))
    return signatures.new_secret(scheme)


def _scheme_of(row: Trigger) -> WebhookScheme | None:
    is_webhook = row.type == TriggerType.WEBHOOK
    return WebhookScheme(row.config["scheme"]) if is_webhook else None


def _key_columns(text: str) -> Columns:
    """Return the columns that make `text` the only key of a trigger."""
    preview = f"{text[:_KEY_START]}…{text[-3:]}"
    return {**NO_SECRET, "secret_sha256": hash_access_token(text), "secret_preview": preview}


def trigger_context(workspace_id: str, trigger_id: str) -> str:
    """Return what the secret of a trigger is bound to."""
    return f"{workspace_id}|{trigger_id}|secret"
