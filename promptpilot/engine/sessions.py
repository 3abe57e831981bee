"""Sign-ins: opened with a password, renewed with a refresh token, ended by their user.

Rules: a refresh token is good once. The one before it is still answered for half a minute, alike,
because the answer may have been lost; after that, whoever has it has a copy, and the session ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from promptpilot import ids
from promptpilot.clock import Clock, from_ms, to_ms
from promptpilot.engine.audit import AuditAction, note
from promptpilot.engine.principal import Principal, Role
from promptpilot.engine.tokens import SessionTokens
from promptpilot.errors import BadCredentials
from promptpilot.models import Session, Workspace
from promptpilot.models.database import Database

#: A session that is not renewed for so long is over.
IDLE_LIFETIME: Final = timedelta(days=30)
#: After so long the user has to sign in again, however often the session was renewed.
LIFETIME: Final = timedelta(days=90)
#: So long the refresh token before the newest one is answered as it was the first time.
REPEAT_GRACE: Final = timedelta(seconds=30)

_RENEW: Final = """
UPDATE sessions SET generation = generation + 1, refreshed_at = $3,
    expires_at = CASE WHEN created_at + $5 < $4 THEN created_at + $5 ELSE $4 END
WHERE id = $1 AND generation = $2 AND ended_at IS NULL AND expires_at > $3
RETURNING user_id, generation, expires_at
"""
_PATH: Final = ("input", "refreshToken")


@dataclass(frozen=True, slots=True)
class Renewable:
    """A session with the token that renews it, which is refused from `expires_at` on."""

    id: str
    user_id: str
    refresh_token: str = field(repr=False)
    expires_at: datetime


class Sessions:
    """Opens, renews and ends sessions."""

    def __init__(self, database: Database, clock: Clock, tokens: SessionTokens) -> None:
        self._database = database
        self._clock = clock
        self._tokens = tokens

    async def open(self, user_id: str) -> Renewable:
        """Store a new session of a user."""
        now = self._clock.now()
        row = Session(
            id=ids.new_id(ids.Kind.SESSION),
            user_id=user_id,
            refreshed_at=now,
            created_at=now,
            expires_at=now + IDLE_LIFETIME,
        )
        await self._database.retry(lambda: Session.bulk_create([row], ignore_conflicts=True))
        return Renewable(row.id, user_id, self._tokens.refresh_token(row.id, 1), row.expires_at)

    async def renew(self, refresh_token: str) -> Renewable:
        """Exchange a refresh token for the next one of its session.

        Raises BadCredentials for what is no refresh token of a session that goes on. One that was
        exchanged before, by more than half a minute, ends its session.
        """
        proven = self._tokens.read_refresh_token(refresh_token)
        if proven is None:
            raise _refused()
        session_id, generation = proven
        now = self._clock.now()
        rows = await self._database.retry(
            lambda: self._database.fetch(
                _RENEW,
                session_id,
                generation,
                to_ms(now),
                to_ms(now + IDLE_LIFETIME),
                LIFETIME // timedelta(milliseconds=1),
            )
        )
        if not rows:
            return await self._repeated(session_id, generation, now)
        row = rows[0]
        return self._renewable(
            session_id, row["user_id"], row["generation"], from_ms(row["expires_at"])
        )

    async def end(self, principal: Principal, *, everywhere: bool) -> int:
        """End the caller's session, or all of them; return how many went on until now."""
        mine = Session.filter(user_id=principal.user_id, ended_at__isnull=True)
        chosen = mine if everywhere else mine.filter(id=principal.session_id)
        now = self._clock.now()
        what = principal.user_id if everywhere else principal.session_id or ""

        async def store() -> int:
            async with self._database.transaction():
                count = await chosen.update(ended_at=now, end_reason="LOGOUT")
                if count:
                    await note(principal, AuditAction.SESSION_ENDED, what, now, count=count)
                return count

        return await self._database.retry(store)

    async def _repeated(self, session_id: str, generation: int, now: datetime) -> Renewable:
        row = await Session.get_or_none(id=session_id)
        if row is None or row.ended_at is not None or row.expires_at <= now:
            raise _refused()
        if row.generation == generation + 1 and now - row.refreshed_at <= REPEAT_GRACE:
            return self._renewable(row.id, row.user_id, row.generation, row.expires_at)
        await self._database.retry(partial(self._end_reused, row, now))
        raise _refused()

    async def _end_reused(self, row: Session, now: datetime) -> None:
        async with self._database.transaction():
            mine = Session.filter(id=row.id, ended_at__isnull=True)
            if not await mine.update(ended_at=now, end_reason="REUSE"):
                return
            workspace = await Workspace.get(owner_id=row.user_id, is_personal=True)
            whose = Principal(row.user_id, workspace.id, Role.USER)
            await note(whose, AuditAction.REFRESH_TOKEN_REUSED, row.id, now)

    def _renewable(
        self, session_id: str, user_id: str, generation: int, expires_at: datetime
    ) -> Renewable:
        token = self._tokens.refresh_token(session_id, generation)
        return Renewable(session_id, user_id, token, expires_at)


def _refused() -> BadCredentials:
    message = "The refresh token is not valid any more; sign in with e-mail and password."
    return BadCredentials(message, _PATH)
