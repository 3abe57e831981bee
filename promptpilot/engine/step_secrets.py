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
from promptpilot.engine.credential_accounts import (
    CredentialAccounts,
    OpenedAccount,
    UnnotedAccounts,
)
from promptpilot.engine.signing_secrets import SigningSecrets
from promptpilot.engine.vault import Vault, VaultError
from promptpilot.errors import StepFailed
from promptpilot.models import StepSecret
from promptpilot.models.database import Database


class SecretStore:
    """Seals secrets into rows, and hands out what opens them."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        environment: Mapping[str, Account] | None = None,
    ) -> None:
        """`environment` holds the server's own keys for models, by provider."""
        self._vault = vault
        self._clock = clock
        self._signing = SigningSecrets(database, vault, clock)
        self._accounts = CredentialAccounts(database, vault, clock, environment)
        self._unnoted = UnnotedAccounts(database, vault, clock, environment)

    def seal(self, workspace_id: str, text: str) -> StepSecret:
        """Return the row, not yet stored, that keeps `text` for a workspace."""
        secret_id = ids.new_id(ids.Kind.STEP_SECRET)
        return StepSecret(
            id=secret_id,
            workspace_id=workspace_id,
            secret_sealed=self._vault.seal(text, header_context(workspace_id, secret_id)),
            created_at=self._clock.now(),
        )

    def open_for(self, workspace_id: str) -> OpenedSecrets:
        """Return what opens the secrets of a workspace for one step."""
        return OpenedSecrets(workspace_id, self._vault, self._signing, self._accounts)

    def peek_for(self, workspace_id: str) -> OpenedSecrets:
        """Return what opens them for a preview: what is opened is not noted as used."""
        return OpenedSecrets(workspace_id, self._vault, self._signing, self._unnoted)


class OpenedSecrets:
    """The secrets of one workspace, for one step; fills the port `StepSecrets`."""

    def __init__(
        self,
        workspace_id: str,
        vault: Vault,
        signing: SigningSecrets,
        accounts: CredentialAccounts,
    ) -> None:
        self._workspace_id = workspace_id
        self._vault = vault
        self._signing = signing
        self._accounts = accounts
        self._opened: dict[Account, OpenedAccount] = {}
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
        """Return what to reach a provider with: the credential named, or the workspace's own.

        Raises `StepFailed` CREDENTIAL_MISSING, CREDENTIAL_REVOKED or CREDENTIAL_EXPIRED.
        """
        opened = await self._accounts.find(self._workspace_id, provider, credential_id)
        self._opened[opened.account] = opened
        self._remember([opened.account.secret])
        return opened.account

    async def refused(self, account: Account, words: str) -> None:
        """Note that the provider refused the account, in its words, without any secret."""
        if account in self._opened:
            await self._accounts.refused(self._workspace_id, self._opened[account], words)

    def _open(self, row: StepSecret) -> str:
        context = header_context(self._workspace_id, row.id)
        return self._vault.open(row.secret_sealed, context).reveal()

    def _remember(self, texts: Iterable[str]) -> None:
        self._revealed.update(dict.fromkeys(texts))


def _refuse() -> NoReturn:
    message = (
        "A secret header of this step cannot be opened any more; save the workflow with its value "
        "once again."
    )
    raise StepFailed(message, "CREDENTIAL_MISSING") from None


def header_context(workspace_id: str, secret_id: str) -> str:
    """Return what the value of a secret header is bound to."""
    return f"{workspace_id}|{secret_id}|header"
