"""Makes accounts and tokens, and tells who is calling.

Rules: a password, a token's text and why a sign-in failed are never told or stored. An e-mail is
unique because of its index, not because of a test before the insert.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from tortoise.exceptions import IntegrityError

from promptpilot import ids
from promptpilot.clock import Clock, from_ms, to_ms
from promptpilot.engine.emails import clean_email, email_key, find_key
from promptpilot.engine.fields import check_line
from promptpilot.engine.ownership import not_found
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.principal import Principal, Role
from promptpilot.engine.tokens import (
    SessionTokens,
    hash_access_token,
    looks_like_access_token,
    new_access_token,
)
from promptpilot.errors import (
    BadCredentials,
    InvalidInput,
    NotUnique,
    Unauthenticated,
    Unavailable,
)
from promptpilot.models import AccessToken, User, Workspace
from promptpilot.models.database import Database, Dialect

log = structlog.get_logger(__name__)

_MAX_LABEL: Final = 100
#: A request does not wait longer than this for the record of its token's use.
_RECORD_SECONDS: Final = 0.25

_FIND_USER: Final = """
SELECT u.id AS user_id, u.role, w.id AS workspace_id
FROM users u JOIN workspaces w ON w.owner_id = u.id AND w.is_personal
WHERE u.id = $1
"""
_FIND_BY_DIGEST: Final = """
SELECT t.id, t.user_id, t.workspace_id, t.expires_at, t.last_used_at, u.role
FROM access_tokens t JOIN users u ON u.id = t.user_id
WHERE t.sha256 = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2)
"""
_RECORD_USE: Final = """
UPDATE access_tokens SET last_used_at = $2
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)
"""
# Held until the end of the transaction: two first users cannot both find that there is none.
_LOCK_USERS: Final = "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user with a fresh session token, which is refused from `expires_at` on."""

    user: User
    token: str = field(repr=False)
    expires_at: datetime


class Access:
    """The verbs of users and tokens."""

    def __init__(
        self, database: Database, clock: Clock, passwords: Passwords, sessions: SessionTokens
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._sessions = sessions

    async def register(self, email: str, password: str, name: str | None) -> SignedIn:
        """Make an account with its personal workspace, and sign in.

        The first user of an installation becomes its ADMIN. Raises InvalidInput, and NotUnique
        when the e-mail is taken; then nothing was stored. Does not ask whether registration is
        open.
        """
        address = clean_email(email)
        if name is not None:
            check_line(name, ("input", "name"))
        user = User(
            id=ids.new_id(ids.Kind.USER),
            email=address,
            email_key=email_key(address),
            name=name,
            role=Role.USER.value,
            password_hash=await self._passwords.hash(password),
            created_at=self._clock.now(),
        )
        await self._database.retry(lambda: self._store(user))
        return self._signed_in(user)

    async def login(self, email: str, password: str) -> SignedIn:
        """Sign in. Raise BadCredentials, after the same work for known and unknown users."""
        key = find_key(email)
        user = None if key is None else await User.get_or_none(email_key=key)
        stored = None if user is None else user.password_hash
        if not await self._passwords.verify(stored, password) or user is None:
            raise BadCredentials("E-mail or password is wrong.")
        if self._passwords.needs_rehash(user.password_hash):
            with suppress(InvalidInput):  # a password of before today's rules still signs in
                await self._rehash(user, password)
        return self._signed_in(user)

    async def identify(self, bearer: str) -> Principal:
        """Return who a session token or an access token proves. Raise Unauthenticated."""
        if looks_like_access_token(bearer):
            return await self._identify_program(bearer)
        claims = self._sessions.read(bearer, self._clock.now())
        rows = await self._database.fetch(_FIND_USER, claims.user_id)
        if not rows:
            raise Unauthenticated("The session belongs to a user who is gone; log in again.")
        return _principal(rows[0], claims.expires_at)

    async def create_token(
        self, principal: Principal, label: str, expires_at: datetime | None
    ) -> tuple[AccessToken, str]:
        """Store a new access token; return it and its text, which is nowhere else."""
        now = self._clock.now()
        check_line(label, ("input", "label"), _MAX_LABEL)
        if expires_at is not None and expires_at <= now:
            raise InvalidInput("expiresAt must be in the future.", ("input", "expiresAt"))
        token = new_access_token()
        row = AccessToken(
            id=ids.new_id(ids.Kind.ACCESS_TOKEN),
            workspace_id=principal.workspace_id,
            user_id=principal.user_id,
            label=label,
            preview=token.preview,
            sha256=token.sha256,
            created_at=now,
            expires_at=expires_at,
        )
        await self._database.retry(lambda: AccessToken.bulk_create([row], ignore_conflicts=True))
        return row, token.text

    async def revoke_token(self, principal: Principal, id: str) -> AccessToken:
        """End a token at once. Called again, it keeps the first instant. Raise NotFound."""
        if not ids.is_id(id, ids.Kind.ACCESS_TOKEN):
            raise not_found(ids.Kind.ACCESS_TOKEN, id)
        mine = AccessToken.filter(id=id, workspace_id=principal.workspace_id)
        now = self._clock.now()
        await self._database.retry(
            lambda: mine.filter(revoked_at__isnull=True).update(revoked_at=now)
        )
        row = await mine.get_or_none()
        if row is None:
            raise not_found(ids.Kind.ACCESS_TOKEN, id)
        return row

    async def _store(self, user: User) -> None:
        async with self._database.transaction():
            if await User.exists(id=user.id):  # the first try was committed after all
                return
            user.role = await self._next_role()
            try:
                await user.save(force_create=True)
            except IntegrityError as error:
                message = "There is an account with this e-mail already."
                raise NotUnique(message, ("input", "email")) from error
            await _personal_workspace(user).save(force_create=True)

    async def _next_role(self) -> str:
        if not await User.exists() and self._database.dialect is Dialect.POSTGRES:
            await self._database.execute(_LOCK_USERS)
        return (Role.USER if await User.exists() else Role.ADMIN).value

    async def _rehash(self, user: User, password: str) -> None:
        fresh = await self._passwords.hash(password)
        await User.filter(id=user.id, password_hash=user.password_hash).update(password_hash=fresh)

    def _signed_in(self, user: User) -> SignedIn:
        return SignedIn(user, *self._sessions.issue(user.id, self._clock.now()))

    async def _identify_program(self, text: str) -> Principal:
        now = self._clock.now()
        rows = await self._database.fetch(_FIND_BY_DIGEST, hash_access_token(text), to_ms(now))
        if not rows:
            raise Unauthenticated("The access token is unknown, revoked or expired.")
        row = rows[0]
        minute = now.replace(second=0, microsecond=0)
        if row["last_used_at"] is None or from_ms(row["last_used_at"]) < minute:
            await self._record_use(row["id"], minute)
        return _principal(row, _instant(row["expires_at"]))

    async def _record_use(self, token_id: str, minute: datetime) -> None:
        """Store when a token was last used; a database that is too busy makes nothing fail."""
        try:
            async with asyncio.timeout(_RECORD_SECONDS):
                await self._database.retry(
                    lambda: self._database.execute(_RECORD_USE, token_id, to_ms(minute))
                )
        except (TimeoutError, Unavailable):
            log.warning("access_token.use_not_recorded", access_token_id=token_id)


def _personal_workspace(user: User) -> Workspace:
    return Workspace(
        id=ids.new_id(ids.Kind.WORKSPACE),
        name=user.name or user.email,
        owner_id=user.id,
        is_personal=True,
        created_at=user.created_at,
    )


def _principal(row: dict[str, Any], expires_at: datetime | None) -> Principal:
    return Principal(row["user_id"], row["workspace_id"], Role(row["role"]), expires_at)


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
