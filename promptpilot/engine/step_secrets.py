"""The secrets that steps use: sealed when a workflow is saved, opened while a step runs.

Rules: a secret belongs to one workspace and opens for its own row only. Whatever was opened for a
step is remembered, so that it can be taken out of everything that the step leaves behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.accounts import Account
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.engine.vault import Vault, VaultError
from promptpilot.errors import StepFailed
from promptpilot.models import StepSecret
from promptpilot.models.database import Database


class SecretStore:
    """Seals secrets into rows, and hands out what opens them."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._signing = SigningSecrets(database, vault, clock)

    def seal(self, workspace_id: str, text: str) -> StepSecret:
        """Return the row, not yet stored, that keeps `text` for a workspace."""
        secret_id = ids.new_id(ids.Kind.STEP_SECRET)
        return StepSecret(
            id=secret_id,
            workspace_id=workspace_id,
            secret_sealed=self._vault.seal(text, _context(workspace_id, secret_id)),
            created_at=self._clock.now(),
        )

    def open_for(self, workspace_id: str) -> OpenedSecrets:
        """Return what opens the secrets of a workspace for one step."""
        return OpenedSecrets(workspace_id, self._vault, self._signing)


class OpenedSecrets:
    """The secrets of one workspace, for one step; fills the port `StepSecrets`."""

    def __init__(self, workspace_id: str, vault: Vault, signing: SigningSecrets) -> None:
        self._workspace_id = workspace_id
        self._vault = vault
        self._signing = signing
        self._revealed: dict[str, None] = {}

    @property
    def revealed(self) -> tuple[str, ...]:
        """Every secret that was opened so far, each once."""
        return tuple(self._revealed)

    async def reveal(self, secret_ids: Sequence[str]) -> Mapping[str, str]:
        """Return stored secrets in the clear, by id.

        Raises `StepFailed` CREDENTIAL_MISSING if one is not there or does not open.
        """
        rows = await StepSecret.filter(id__in=secret_ids, workspace_id=self._workspace_id)
        if {row.id for row in rows} != set(secret_ids):
            _refuse()
        try:
            opened = {row.id: self._open(row) for row in rows}
        except VaultError:
            _refuse()
        self._remember(opened.values())
        return opened

    async def signing_secrets(self) -> Sequence[str]:
        """Return the workspace's signing secrets, the newest first; make one if there is none.

        Raises `StepFailed` CREDENTIAL_MISSING if it does not open.
        """
        try:
            opened = await self._signing.active(self._workspace_id)
        except VaultError:
            message = "The workspace's signing secret does not open; rotate it to get a new one."
            raise StepFailed(message, "CREDENTIAL_MISSING") from None
        self._remember(opened)
        return opened

    async def account(self, provider: str, credential_id: str | None) -> Account:
        """Return what to reach a provider with. Raises `StepFailed` CREDENTIAL_MISSING."""
        message = f"No credential for {provider} is stored; make one with createModelCredential."
        raise StepFailed(message, "CREDENTIAL_MISSING")

    async def refused(self, account: Account, words: str) -> None:
        """Note that the provider refused the account."""

    def _open(self, row: StepSecret) -> str:
        return self._vault.open(row.secret_sealed, _context(self._workspace_id, row.id)).reveal()

    def _remember(self, texts: Iterable[str]) -> None:
        self._revealed.update(dict.fromkeys(texts))


def _refuse() -> NoReturn:
    message = (
        "A secret header of this step cannot be opened any more; save the workflow with its value "
        "once again."
    )
    raise StepFailed(message, "CREDENTIAL_MISSING") from None


def _context(workspace_id: str, secret_id: str) -> str:
    return f"{workspace_id}|{secret_id}|header"
