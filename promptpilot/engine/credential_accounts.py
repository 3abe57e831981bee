"""Finds what a provider is reached with: the credential of the step, workspace or server.

Rules: a credential of another workspace or provider is missing like one that never was. Of several
of a workspace the newest usable one is taken; one that its provider refused is taken when no other
is usable, for a key may have been enabled again. Nothing is sent while this looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from tortoise.expressions import Q

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.accounts import Account
from promptpilot.engine.credential_secrets import CredentialSecrets
from promptpilot.engine.credential_status import USABLE, CredentialStatus, status_of
from promptpilot.engine.scrub import Scrubber
from promptpilot.engine.vault import Vault, VaultError
from promptpilot.errors import StepFailed, Unavailable
from promptpilot.models import Credential
from promptpilot.models.database import Database

log = structlog.get_logger(__name__)

_MAX_LOOKED_AT: Final = 100
_MAX_REFUSAL: Final = 500
#: A step does not wait longer than this for the record of its credential's use.
_RECORD_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class OpenedAccount:
    """An account, and the sealed text that it was opened from; None for a key of the server."""

    account: Account
    sealed: str | None = field(default=None, repr=False)


class CredentialAccounts:
    """Opens credentials for steps, and notes when they were used or refused."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        environment: Mapping[str, Account] | None = None,
    ) -> None:
        """`environment` holds the server's own keys, by provider."""
        self._database = database
        self._secrets = CredentialSecrets(vault)
        self._clock = clock
        self._environment = dict(environment or {})
        self._minute: datetime | None = None
        self._used: set[str] = set()

    async def find(
        self, workspace_id: str, provider: str, credential_id: str | None
    ) -> OpenedAccount:
        """Return what to reach a provider with: the credential named, or the workspace's own.

        Raises `StepFailed` CREDENTIAL_MISSING, CREDENTIAL_REVOKED or CREDENTIAL_EXPIRED.
        """
        if credential_id is not None:
            return await self._opened(await self._named(workspace_id, provider, credential_id))
        row, failure = await self._chosen(workspace_id, provider)
        if row is not None:
            return await self._opened(row)
        if provider in self._environment:
            return OpenedAccount(self._environment[provider])
        raise failure or await self._none(workspace_id, provider)

    async def refused(self, workspace_id: str, opened: OpenedAccount, words: str) -> None:
        """Note that the provider refused an account, unless its secret was changed since."""
        account = opened.account
        if account.credential_id is None:
            log.warning("environment_credential.refused")
            return
        mine = Credential.filter(
            id=account.credential_id,
            workspace_id=workspace_id,
            secret_sealed=opened.sealed,
            revoked_at__isnull=True,
        )
        columns = {
            "refused_at": self._clock.now(),
            "refusal": Scrubber([account.secret]).text(words)[:_MAX_REFUSAL],
            "status": CredentialStatus.REJECTED.value,
        }
        await self._database.retry(partial(mine.update, **columns))
        log.warning("credential.refused", credential_id=account.credential_id)

    async def _named(self, workspace_id: str, provider: str, id: str) -> Credential:
        row = None
        if ids.is_id(id, ids.Kind.CREDENTIAL):
            row = await Credential.get_or_none(id=id, workspace_id=workspace_id, provider=provider)
        if row is None:
            message = f"The credential of this step is no {provider} credential of this workspace."
            raise StepFailed(f"{message} Name another one or none.", "CREDENTIAL_MISSING")
        match status_of(row, self._clock.now()):
            case CredentialStatus.REVOKED:
                raise _revoked(f"The credential {row.label!r} of this step was revoked")
            case CredentialStatus.EXPIRED:
                raise _expired(row)
            case _:
                return row

    async def _chosen(
        self, workspace_id: str, provider: str
    ) -> tuple[Credential | None, StepFailed | None]:
        """Return the credential to use; if there is none, perhaps what is wrong with the newest."""
        mine = Credential.filter(
            workspace_id=workspace_id, provider=provider, revoked_at__isnull=True
        )
        now = self._clock.now()
        valid = mine.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
        rows = await valid.order_by("-created_at", "-id").limit(_MAX_LOOKED_AT)
        if rows:
            return _best(rows, now), None
        expired = await mine.order_by("-created_at", "-id").first()
        return None, None if expired is None else _expired(expired)

    async def _none(self, workspace_id: str, provider: str) -> StepFailed:
        if await Credential.filter(workspace_id=workspace_id, provider=provider).exists():
            return _revoked(f"Every credential for {provider} was revoked")
        message = f"No credential for {provider} is stored; make one with createModelCredential."
        return StepFailed(message, "CREDENTIAL_MISSING")

    async def _opened(self, row: Credential) -> OpenedAccount:
        try:
            secret = self._secrets.open(row)
        except VaultError:
            message = (
                f"The credential {row.label!r} does not open: its master key is gone, or it was "
                "changed. Give its secret anew with rotateModelCredential."
            )
            raise StepFailed(message, "CREDENTIAL_MISSING") from None
        await self._record_use(row)
        return OpenedAccount(Account(secret, row.base_url, row.id), row.secret_sealed)

    async def _record_use(self, row: Credential) -> None:
        """Store the minute of use, once; a database that is too busy makes nothing fail."""
        minute = self._clock.now().replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._used = minute, set()
        stored = row.last_used_at
        if row.id in self._used or (stored is not None and stored >= minute):
            return
        self._used.add(row.id)
        unused = Credential.filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=minute), id=row.id
        )
        try:
            async with asyncio.timeout(_RECORD_SECONDS):
                await self._database.retry(partial(unused.update, last_used_at=minute))
        except (TimeoutError, Unavailable):
            log.warning("credential.use_not_recorded", credential_id=row.id)


class UnnotedAccounts(CredentialAccounts):
    """Opens credentials and notes nothing: neither that they were used nor refused."""

    async def refused(self, workspace_id: str, opened: OpenedAccount, words: str) -> None:
        """Do nothing."""

    async def _record_use(self, row: Credential) -> None:
        """Do nothing."""


def _best(rows: Sequence[Credential], now: datetime) -> Credential:
    """Return the newest usable one; the newest of all if none is."""
    return next((row for row in rows if status_of(row, now) in USABLE), rows[0])


def _revoked(what: str) -> StepFailed:
    message = f"{what}; make a new one with createModelCredential."
    return StepFailed(message, "CREDENTIAL_REVOKED")


def _expired(row: Credential) -> StepFailed:
    message = (
        f"The credential {row.label!r} has expired; give a new secret with rotateModelCredential "
        "and a later expiresAt with updateModelCredential."
    )
    return StepFailed(message, "CREDENTIAL_EXPIRED")
