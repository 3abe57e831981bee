"""Seals the secret of a credential for its own row, and says how it is recognised.

Rules: a sealed secret opens for its workspace, its id and its provider only. What is shown of it
is at most four characters of either end, and never more than a third.
"""

from __future__ import annotations

from typing import Any, Final

from promptpilot.engine.vault import Vault, VaultError
from promptpilot.models import Credential

#: Stands in the place of a secret that was erased for good.
ERASED: Final = ""
_SHOWN: Final = 4


class CredentialSecrets:
    """Seals and opens the secrets of credentials."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def columns(self, row: Credential, text: str) -> dict[str, Any]:
        """Return the columns that make `text` the secret of a credential."""
        return {
            "secret_sealed": self._vault.seal(text, context_of(row)),
            "secret_preview": preview(text),
            "fingerprint": self._vault.fingerprint(text),
        }

    def open(self, row: Credential) -> str:
        """Return the secret of a credential in the clear. Raise VaultError if it does not open."""
        if row.secret_sealed == ERASED:
            raise VaultError("The secret of this credential was erased when it was revoked.")
        return self._vault.open(row.secret_sealed, context_of(row)).reveal()


def context_of(row: Credential) -> str:
    """Return what the secret of a credential is bound to."""
    return f"{row.workspace_id}|{row.id}|{row.provider}"


def preview(secret: str) -> str:
    """Return the start and the end of a secret, to recognise it by."""
    shown = min(_SHOWN, len(secret) // 6)
    return f"{secret[:shown]}…{secret[len(secret) - shown :]}"
