"""Makes accounts and tokens, and tells who is calling.

Rules: a password, a token's text and why a sign-in failed are never told or stored. An e-mail is
unique because of its index, not because of a test before the insert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import structlog
from tortoise.exceptions import IntegrityError

from promptpilot import ids
from promptpilot.clock import Clock, from_ms, to_ms
from promptpilot.engine.audit import AuditAction, note
from promptpilot.engine.emails import clean_email, email_key, find_key
from promptpilot.engine.fields import check_line
from promptpilot.engine.identity_tokens import Identities
from promptpilot.engine.login_limits import LoginLimits
from promptpilot.engine.ownership import not_found
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.principal import Principal, Role, Scope
from promptpilot.engine.sessions import Renewable, Sessions
from promptpilot.engine.tokens import (
    SessionTokens,
    hash_access_token,
    looks_like_access_token,
    new_access_token,
)
from promptpilot.engine.workspaces import personal_workspace
from promptpilot.errors import (
    BadCredentials,
    InvalidInput,
    NotUnique,
    Unauthenticated,
    Unavailable,
)
from promptpilot.models import AccessToken, User
from promptpilot.models.columns import load_json
from promptpilot.models.database import Database, Dialect

log = structlog.get_logger(__name__)

_MAX_LABEL: Final = 100
#: A request does not wait longer than this for the record of its token's use.
_RECORD_SECONDS: Final = 0.25

_FIND_USER: Final = """
SELECT u.id AS user_id, u.role, w.id AS workspace_id, s.ended_at
FROM users u JOIN workspaces w ON w.owner_id = u.id AND w.is_personal
    LEFT JOIN sessions s ON s.id = $2 AND s.user_id = u.id
WHERE u.id = $1
"""
_FIND_BY_DIGEST: Final = """
SELECT t.id, t.user_id, t.workspace_id, t.expires_at, t.last_used_at, t.scopes, u.role
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
    """A user with a fresh session token, which is refused from `expires_at` on.

    The refresh token gets the next one, once, until `refresh_expires_at`.
    """

    user: User
    token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime


class Access:
    """The verbs of users and tokens."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: Passwords,
        tokens: SessionTokens,
        identities: Identities | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._tokens = tokens
        self._identities = identities
        self._sessions = Sessions(database, clock, tokens)
        self._limits = LoginLimits(database, clock)

    async def register(
        self, email: str, password: str, name: str | None, address: str | None = None
    ) -> SignedIn:
        """Make an account with its personal workspace, and sign in.

        The first user of an installation becomes its ADMIN. Raises InvalidInput, NotUnique when
        the e-mail is taken, and LimitExceeded after too many from one address; then nothing was
        stored. Does not ask whether registration is open.
        """
        cleaned = clean_email(email)
        if name is not None:
            check_line(name, ("input", "name"))
        if address is not None:
            await self._limits.admit_registration(address)
        user = User(
            id=ids.new_id(ids.Kind.USER),
            email=cleaned,
            email_key=email_key(cleaned),
            name=name,
            role=Role.USER.value,
            password_hash=await self._passwords.hash(password),
            created_at=self._clock.now(),
        )
        await self._database.retry(lambda: self._store(user))
        return await self._signed_in(user)

    async def login(self, email: str, password: str, address: str | None = None) -> SignedIn:
        """Sign in, from a network address if it is known.

        Raises BadCredentials, after the same work for known and unknown users, and LimitExceeded
        after too many failures.
        """
        key = find_key(email)
        await self._limits.admit(key or email, address)
        user = None if key is None else await User.get_or_none(email_key=key)
        stored = None if user is None else user.password_hash or None
        if not await self._passwords.verify(stored, password) or user is None:
            raise BadCredentials("E-mail or password is wrong.")
        if self._passwords.needs_rehash(user.password_hash):
            with suppress(InvalidInput):  # a password of before today's rules still signs in
                await self._rehash(user, password)
        await self._limits.forgive(key or email, address)
        return await self._signed_in(user)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Exchange a refresh token for fresh tokens of its session. Raise BadCredentials."""
        renewed = await self._sessions.renew(refresh_token)
        return self._fresh(await User.get(id=renewed.user_id), renewed)

    async def end_sessions(self, principal: Principal, *, everywhere: bool) -> int:
        """End the caller's session, or all of the caller's; return how many went on until now.

        Raises PermissionDenied for all of them without the scope ACCESS.
        """
        if everywhere:
            principal.require(Scope.ACCESS)
        elif principal.session_id is None:
            return 0
        return await self._sessions.end(principal, everywhere=everywhere)

    async def identify(self, bearer: str) -> Principal:
        """Return who a session token or an access token proves. Raise Unauthenticated."""
        if looks_like_access_token(bearer):
            return await self._identify_program(bearer)
        if self._identities is not None and self._identities.issued(bearer):
            return await self._identities.identify(bearer)
        claims = self._tokens.read(bearer, self._clock.now())
        rows = await self._database.fetch(_FIND_USER, claims.user_id, claims.session_id)
        if not rows:
            raise Unauthenticated("The session belongs to a user who is gone; log in again.")
        if rows[0]["ended_at"] is not None:
            raise Unauthenticated("The session was ended; log in again.")
        return replace(_principal(rows[0], claims.expires_at), session_id=claims.session_id)

    async def create_token(
        self,
        principal: Principal,
        label: str,
        expires_at: datetime | None,
        scopes: Sequence[Scope] | None = None,
    ) -> tuple[AccessToken, str]:
        """Store a new access token; return it and its text, which is nowhere else.

        Without `scopes` it is good for what the caller's own proof is good for. Raises
        InvalidInput, and PermissionDenied for a scope that the caller does not have.
        """
        now = self._clock.now()
        check_line(label, ("input", "label"), _MAX_LABEL)
        if expires_at is not None and expires_at <= now:
            raise InvalidInput("expiresAt must be in the future.", ("input", "expiresAt"))
        granted = _granted(principal, scopes)
        token = new_access_token()
        row = AccessToken(
            id=ids.new_id(ids.Kind.ACCESS_TOKEN),
            workspace_id=principal.workspace_id,
            user_id=principal.user_id,
            label=label,
            preview=token.preview,
            sha256=token.sha256,
            scopes=granted,
            created_at=now,
            expires_at=expires_at,
        )

        async def store() -> None:
            async with self._database.transaction():
                if await AccessToken.exists(id=row.id):  # the first try was committed after all
                    return
                await row.save(force_create=True)
                done = AuditAction.ACCESS_TOKEN_CREATED
                await note(principal, done, row.id, now, label=label, scopes=granted)

        await self._database.retry(store)
        return row, token.text

    async def revoke_token(self, principal: Principal, id: str) -> AccessToken:
        """End a token at once. Called again, it keeps the first instant. Raise NotFound."""
        if not ids.is_id(id, ids.Kind.ACCESS_TOKEN):
            raise not_found(ids.Kind.ACCESS_TOKEN, id)
        mine = AccessToken.filter(id=id, workspace_id=principal.workspace_id)
        now = self._clock.now()

        async def store() -> None:
            async with self._database.transaction():
                if await mine.filter(revoked_at__isnull=True).update(revoked_at=now):
                    await note(principal, AuditAction.ACCESS_TOKEN_REVOKED, id, now)

        await self._database.retry(store)
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
            workspace = personal_workspace(user)
            await workspace.save(force_create=True)
            who = Principal(user.id, workspace.id, Role(user.role))
            await note(who, AuditAction.USER_REGISTERED, user.id, user.created_at)

    async def _next_role(self) -> str:
        if not await User.exists() and self._database.dialect is Dialect.POSTGRES:
            await self._database.execute(_LOCK_USERS)
        return (Role.USER if await User.exists() else Role.ADMIN).value

    async def _rehash(self, user: User, password: str) -> None:
        fresh = await self._passwords.hash(password)
        await User.filter(id=user.id, password_hash=user.password_hash).update(password_hash=fresh)

    async def _signed_in(self, user: User) -> SignedIn:
        return self._fresh(user, await self._sessions.open(user.id))

    def _fresh(self, user: User, session: Renewable) -> SignedIn:
        token, expires_at = self._tokens.issue(user.id, self._clock.now(), session.id)
        return SignedIn(user, token, expires_at, session.refresh_token, session.expires_at)

    async def _identify_program(self, text: str) -> Principal:
        now = self._clock.now()
        rows = await self._database.fetch(_FIND_BY_DIGEST, hash_access_token(text), to_ms(now))
        if not rows:
            raise Unauthenticated("The access token is unknown, revoked or expired.")
        row = rows[0]
        minute = now.replace(second=0, microsecond=0)
        if row["last_used_at"] is None or from_ms(row["last_used_at"]) < minute:
            await self._record_use(row["id"], minute)
        scopes = None if row["scopes"] is None else load_json(row["scopes"])
        return replace(
            _principal(row, _instant(row["expires_at"])),
            scopes=None if scopes is None else frozenset(Scope(each) for each in scopes),
            token_id=row["id"],
        )

    async def _record_use(self, token_id: str, minute: datetime) -> None:
        """Store when a token was last used; a database that is too busy makes nothing fail."""
        try:
            async with asyncio.timeout(_RECORD_SECONDS):
                await self._database.retry(
                    lambda: self._database.execute(_RECORD_USE, token_id, to_ms(minute))
                )
        except (TimeoutError, Unavailable):
            log.warning("access_token.use_not_recorded", access_token_id=token_id)


def _granted(principal: Principal, scopes: Sequence[Scope] | None) -> list[str] | None:
    """Return the scopes of a new token, which are never more than those of whoever makes it."""
    if scopes is None:
        own = principal.scopes
        return None if own is None else sorted(own)
    if not scopes:
        raise InvalidInput("Give at least one scope, or none at all.", ("input", "scopes"))
    for scope in scopes:
        principal.require(scope)
    return sorted(set(scopes))


def _principal(row: dict[str, Any], expires_at: datetime | None) -> Principal:
    return Principal(row["user_id"], row["workspace_id"], Role(row["role"]), expires_at)


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
