"""Makes, changes, rotates, revokes and tests the credentials for model providers.

Rules: a secret is sealed before it is stored and never given back. Revoking is final: the secret
is erased, what history shows stays. A label is unique because of its index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from tortoise.exceptions import IntegrityError

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.accounts import Account, Probed
from promptpilot.engine.audit import AuditAction, note
from promptpilot.engine.credential_drafts import (
    CredentialChange,
    CredentialDraft,
    change_checks,
    check_secret,
    check_secret_is_given,
    columns_of,
    draft_checks,
)
from promptpilot.engine.credential_secrets import ERASED, CredentialSecrets
from promptpilot.engine.credential_status import CredentialStatus, providers_with_usable
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.gathering import gather
from promptpilot.engine.ownership import ID_PATH, find
from promptpilot.engine.principal import Principal, Scope, needs
from promptpilot.engine.scrub import Scrubber
from promptpilot.engine.step_configs import ModelProvider
from promptpilot.engine.vault import Vault, VaultError
from promptpilot.errors import (
    CredentialUnavailable,
    InvalidStatus,
    LimitExceeded,
    NotUnique,
    StepFailed,
)
from promptpilot.models import Credential
from promptpilot.models.database import Database

#: Most credentials of a workspace that are not revoked.
MAX_CREDENTIALS: Final = 200
_MAX_SHOWN: Final = 1000
_LABEL: Final = ("input", "label")
_ERASED: Final[Mapping[str, Any]] = {
    "secret_sealed": ERASED,
    "status": CredentialStatus.REVOKED.value,
}
_NOT_REFUSED: Final[Mapping[str, Any]] = {
    "refused_at": None,
    "refusal": None,
    "status": CredentialStatus.ACTIVE.value,
}


class Prober(Protocol):
    """Asks a provider whether it takes a key."""

    async def probe(self, provider: ModelProvider, account: Account) -> Probed:
        """Make one cheap call. Raises `StepFailed` when the provider cannot be asked."""
        ...


@dataclass(frozen=True, slots=True)
class Tested:
    """A credential, its status brought up to date, and what its provider said."""

    row: Credential
    probed: Probed


class Credentials:
    """The verbs of credentials."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        prober: Prober,
        *,
        allowed: AllowList | None = None,
        environment: frozenset[str] = frozenset(),
    ) -> None:
        """Allow these addresses too; `environment` are providers the server has own keys for."""
        self._database = database
        self._secrets = CredentialSecrets(vault)
        self._clock = clock
        self._prober = prober
        self._allowed = allowed or AllowList()
        self._environment = environment

    @needs(Scope.READ)
    async def mine(
        self, principal: Principal, providers: frozenset[ModelProvider] | None = None
    ) -> list[Credential]:
        """Return the caller's credentials, the newest first; of some providers or of all."""
        found = Credential.filter(workspace_id=principal.workspace_id)
        if providers is not None:
            found = found.filter(provider__in=[each.value for each in providers])
        return await found.order_by("-created_at", "-id").limit(_MAX_SHOWN)

    async def configured(self, workspace_id: str | None) -> frozenset[str]:
        """Return the providers that can be called: by a workspace, or by the server's own keys."""
        if workspace_id is None:
            return self._environment
        rows = await Credential.filter(workspace_id=workspace_id, revoked_at__isnull=True)
        return self._environment | providers_with_usable(rows, self._clock.now())

    @needs(Scope.SECRETS)
    async def create(self, principal: Principal, draft: CredentialDraft) -> Credential:
        """Store a credential. Raise InvalidInput, InvalidMany, NotUnique or LimitExceeded."""
        gather(*draft_checks(draft, self._allowed, self._clock.now()))
        used = Credential.filter(workspace_id=principal.workspace_id, revoked_at__isnull=True)
        if await used.count() >= MAX_CREDENTIALS:
            message = f"There may be at most {MAX_CREDENTIALS} credentials; revoke one first."
            raise LimitExceeded(message, MAX_CREDENTIALS)
        row = self._new_row(principal, draft)
        await self._database.retry(partial(self._store, principal, row))
        return row

    @needs(Scope.SECRETS)
    async def update(self, principal: Principal, change: CredentialChange) -> Credential:
        """Change a credential; an address at another server needs the secret anew.

        Raises NotFound, InvalidStatus when it is revoked, Required, InvalidInput, InvalidMany or
        NotUnique; then nothing was stored.
        """
        row = await self._usable(principal, change.id)
        provider = ModelProvider(row.provider)
        gather(*change_checks(change, provider, self._allowed, self._clock.now()))
        check_secret_is_given(change, row.base_url)
        columns = columns_of(change)
        if change.new_secret is not None:
            columns |= self._rotated(row, change.new_secret)
        if any(getattr(row, name) != value for name, value in columns.items()):
            await self._overwrite(principal, row, columns, AuditAction.CREDENTIAL_UPDATED)
        return await self._stored(principal, row.id)

    @needs(Scope.SECRETS)
    async def rotate(self, principal: Principal, id: str, secret: str) -> Credential:
        """Give a credential a new secret; the old one is not used any more.

        What its provider refused is good again. Raises NotFound, InvalidStatus or InvalidInput.
        """
        row = await self._usable(principal, id)
        check_secret(secret)
        columns = self._rotated(row, secret)
        await self._overwrite(principal, row, columns, AuditAction.CREDENTIAL_ROTATED)
        return await self._stored(principal, id)

    def _rotated(self, row: Credential, secret: str) -> dict[str, Any]:
        rotated = {"last_rotated_at": self._clock.now(), **_NOT_REFUSED}
        return {**self._secrets.columns(row, secret), **rotated}

    @needs(Scope.SECRETS)
    async def revoke(self, principal: Principal, id: str) -> Credential:
        """Withdraw a credential for good and erase its secret; again changes nothing.

        Raises NotFound.
        """
        row = await find(Credential, ids.Kind.CREDENTIAL, principal, id)
        if row.revoked_at is None:
            await self._database.retry(partial(self._erase, principal, row))
        return await self._stored(principal, id)

    @needs(Scope.SECRETS)
    async def test(self, principal: Principal, id: str) -> Tested:
        """Ask the provider whether it takes the key, and note what it says.

        Raises NotFound, InvalidStatus when it is revoked, and CredentialUnavailable when its
        secret does not open or the provider cannot be asked; then its status stays.
        """
        row = await self._usable(principal, id)
        account = self._account(row)
        probed = await self._probed(ModelProvider(row.provider), account)
        now = self._clock.now()
        columns = dict(_NOT_REFUSED)
        if not probed.is_accepted:
            words = Scrubber([account.secret]).text(probed.words)
            columns = {
                "refused_at": now,
                "refusal": words,
                "status": CredentialStatus.REJECTED.value,
            }
        same = Credential.filter(id=id, secret_sealed=row.secret_sealed, revoked_at__isnull=True)
        await self._database.retry(partial(same.update, **columns, last_used_at=_minute(now)))
        return Tested(await self._stored(principal, id), probed)

    async def _probed(self, provider: ModelProvider, account: Account) -> Probed:
        try:
            return await self._prober.probe(provider, account)
        except StepFailed as failure:
            words = Scrubber([account.secret]).text(failure.message)
            raise CredentialUnavailable(words, (provider.value,), ID_PATH) from None

    def _account(self, row: Credential) -> Account:
        try:
            return Account(self._secrets.open(row), row.base_url, row.id)
        except VaultError:
            message = "The secret of this credential does not open any more; rotate it."
            raise CredentialUnavailable(message, (row.provider,), ID_PATH) from None

    def _new_row(self, principal: Principal, draft: CredentialDraft) -> Credential:
        now = self._clock.now()
        row = Credential(
            id=ids.new_id(ids.Kind.CREDENTIAL),
            workspace_id=principal.workspace_id,
            provider=draft.provider.value,
            label=draft.label,
            base_url=draft.base_url,
            status=CredentialStatus.ACTIVE.value,
            metadata=dict(draft.metadata),
            expires_at=draft.expires_at,
            created_by=principal.user_id,
            created_at=now,
            updated_at=now,
        )
        row.update_from_dict(self._secrets.columns(row, draft.secret))
        return row

    async def _store(self, principal: Principal, row: Credential) -> None:
        try:
            async with self._database.transaction():
                if await Credential.exists(id=row.id):  # the first try was committed after all
                    return
                await row.save(force_create=True)
                done, at = AuditAction.CREDENTIAL_CREATED, row.created_at
                await note(principal, done, row.id, at, provider=row.provider)
        except IntegrityError as error:
            raise _not_unique(row.label, row.provider) from error

    async def _overwrite(
        self,
        principal: Principal,
        row: Credential,
        columns: Mapping[str, Any],
        action: AuditAction,
    ) -> None:
        """Store columns of a credential that is not revoked. Raise InvalidStatus or NotUnique."""
        now = self._clock.now()

        async def store() -> int:
            async with self._database.transaction():
                mine = Credential.filter(id=row.id, revoked_at__isnull=True)
                changed = await mine.update(**columns, updated_at=now)
                if changed:
                    await note(principal, action, row.id, now)
                return changed

        try:
            changed = await self._database.retry(store)
        except IntegrityError as error:
            raise _not_unique(columns.get("label", row.label), row.provider) from error
        if not changed:
            raise _is_revoked()

    async def _erase(self, principal: Principal, row: Credential) -> None:
        now = self._clock.now()
        async with self._database.transaction():
            mine = Credential.filter(id=row.id, revoked_at__isnull=True)
            if await mine.update(revoked_at=now, updated_at=now, **_ERASED):
                await note(principal, AuditAction.CREDENTIAL_REVOKED, row.id, now)

    async def _usable(self, principal: Principal, id: str) -> Credential:
        row = await find(Credential, ids.Kind.CREDENTIAL, principal, id)
        if row.revoked_at is not None:
            raise _is_revoked()
        return row

    async def _stored(self, principal: Principal, id: str) -> Credential:
        return await find(Credential, ids.Kind.CREDENTIAL, principal, id)


def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def _is_revoked() -> InvalidStatus:
    message = "This credential was revoked, which is final; make a new one."
    return InvalidStatus(message, CredentialStatus.REVOKED.value, ID_PATH)


def _not_unique(label: str, provider: str) -> NotUnique:
    message = f"There is a credential for {provider} called {label!r}; revoked ones keep theirs."
    return NotUnique(message, _LABEL)
