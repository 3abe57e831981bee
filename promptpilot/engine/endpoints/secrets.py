"""The signing secrets of endpoints: made, sealed and opened, each for its own row."""

from __future__ import annotations

from promptpilot.engine import signing
from promptpilot.engine.vault import Vault
from promptpilot.models import WebhookEndpoint


def endpoint_context(row: WebhookEndpoint) -> str:
    """Return what the secret of an endpoint is bound to."""
    return f"{row.workspace_id}|{row.id}|endpoint"


class EndpointSecrets:
    """Seals and opens."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def give(self, row: WebhookEndpoint) -> str:
        """Put a fresh secret into a row that is not stored yet; return its text."""
        text = signing.new_signing_secret()
        row.secret_sealed = self._vault.seal(text, endpoint_context(row))
        row.secret_preview = signing.preview(text)
        return text

    def open(self, row: WebhookEndpoint) -> str:
        """Return the text of a stored secret. Raise VaultError if it does not open."""
        return self._vault.open(row.secret_sealed, endpoint_context(row)).reveal()
