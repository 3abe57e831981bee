"""The secret that signs the requests of a workspace's WEBHOOK steps: made, changed, opened.

Rules: a workspace has one from the first time that it is needed. A new one takes its place at
once; the old one signs beside it for a while, so that receivers may change at leisure.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from promptpilot.clock import Clock
from promptpilot.engine import signing
from promptpilot.engine.audit import AuditAction, note
from promptpilot.engine.principal import Principal
from promptpilot.engine.vault import Vault, VaultError
from promptpilot.errors import Conflict, InvalidInput
from promptpilot.models import SigningSecret
from promptpilot.models.database import Database

MAX_GRACE: Final = timedelta(days=30)
#: How often a change is tried when others change the same secret.
_TRIES: Final = 5


class SigningSecrets:
    """Seals and opens the signing secrets of workspaces."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    async def active(self, workspace_id: str) -> list[str]:
        """Return the secrets that requests are signed with now, the newest first.

        Makes one if there is none; of several callers at once all get the same. Raises VaultError
        if the newest does not open; an older one that does not is left out.
        """
        row = await self._row(workspace_id)
        opened = [self._open(row.workspace_id, row.secret_sealed)]
        until = row.previous_secret_until
        if row.previous_secret_sealed and until is not None and self._clock.now() < until:
            try:
                opened.append(self._open(row.workspace_id, row.previous_secret_sealed))
            except VaultError:
                return opened
        return opened

    async def rotate(self, principal: Principal, grace_seconds: int) -> tuple[SigningSecret, str]:
        """Give the caller's workspace a new secret; return it and its text, which is told once.

        The old one signs too for `grace_seconds` more. Raises InvalidInput unless that is 0 to 30
        days, and Conflict when others change the secret all the time.
        """
        if not 0 <= grace_seconds <= MAX_GRACE.total_seconds():
            message = f"graceSeconds is {grace_seconds}; it must be 0 to {MAX_GRACE.days} days."
            raise InvalidInput(message, ("input", "graceSeconds"))
        text = signing.new_signing_secret()
        fresh = self._new_row(principal.workspace_id, text)
        for _ in range(_TRIES):
            row = await self._row_or(fresh)
            if await self._overwrite(principal, row, fresh, timedelta(seconds=grace_seconds)):
                return await SigningSecret.get(workspace_id=principal.workspace_id), text
        raise Conflict("Others change the signing secret all the time. Try again.")

    async def _row(self, workspace_id: str) -> SigningSecret:
        row = await SigningSecret.get_or_none(workspace_id=workspace_id)
        if row is not None:
            return row
        return await self._row_or(self._new_row(workspace_id, signing.new_signing_secret()))

    async def _row_or(self, fresh: SigningSecret) -> SigningSecret:
        """Return the row of a workspace; store `fresh` if there is none."""
        await self._database.retry(
            partial(SigningSecret.bulk_create, [fresh], ignore_conflicts=True)
        )
        return await SigningSecret.get(workspace_id=fresh.workspace_id)

    async def _overwrite(
        self, principal: Principal, row: SigningSecret, fresh: SigningSecret, grace: timedelta
    ) -> bool:
        """Store `fresh` in place of what was read as `row`; tell whether it is stored now."""
        if row.secret_sealed == fresh.secret_sealed:  # it is the first one, or was stored already
            return True
        stored = SigningSecret.filter(
            workspace_id=row.workspace_id, secret_sealed=row.secret_sealed
        )
        columns = {
            "secret_sealed": fresh.secret_sealed,
            "secret_preview": fresh.secret_preview,
            "previous_secret_sealed": row.secret_sealed if grace else None,
            "previous_secret_until": fresh.updated_at + grace if grace else None,
            "updated_at": fresh.updated_at,
        }

        async def store() -> int:
            async with self._database.transaction():
                count = await stored.update(**columns)
                if count:
                    done, at = AuditAction.SIGNING_SECRET_ROTATED, fresh.updated_at
                    await note(principal, done, row.workspace_id, at)
                return count

        return await self._database.retry(store) > 0

    def _new_row(self, workspace_id: str, text: str) -> SigningSecret:
        now = self._clock.now()
        return SigningSecret(
            workspace_id=workspace_id,
            secret_sealed=self._vault.seal(text, signing_context(workspace_id)),
            secret_preview=signing.preview(text),
            created_at=now,
            updated_at=now,
        )

    def _open(self, workspace_id: str, sealed: str) -> str:
        return self._vault.open(sealed, signing_context(workspace_id)).reveal()


def signing_context(workspace_id: str) -> str:
    """Return what the signing secret of a workspace is bound to."""
    return f"{workspace_id}|{workspace_id}|signing"
