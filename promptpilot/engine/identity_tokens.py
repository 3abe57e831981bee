"""Users whom another server signs in: OpenID Connect tokens, proven by the keys it publishes.

Sources: OpenID Connect Core 1.0 (section 3.1.3.7), OpenID Connect Discovery 1.0, RFC 7517 (keys),
RFC 8725 (what to check of a JWT).

Rules: only asymmetric algorithms; issuer and audience must be the configured ones; a token without
an end is refused. A user is known by issuer and subject, never by an e-mail.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import structlog
from tortoise.exceptions import IntegrityError

from promptpilot import ids
from promptpilot.clock import Clock
from promptpilot.engine.egress.messages import HttpRequest
from promptpilot.engine.emails import clean_email, email_key
from promptpilot.engine.ports import HttpSender
from promptpilot.engine.principal import Principal, Role
from promptpilot.engine.workspaces import personal_workspace
from promptpilot.errors import InvalidInput, StepFailed, Unauthenticated, Unavailable
from promptpilot.models import User
from promptpilot.models.database import Database

log = structlog.get_logger(__name__)

_ALGORITHMS: Final = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "EdDSA",
]
_MAX_TOKEN_LENGTH: Final = 16_384
_LEEWAY: Final = timedelta(seconds=10)
#: How long keys are used before they are fetched again, and how soon at the earliest.
_KEYS_KEPT: Final = timedelta(minutes=10)
_KEYS_RETRY: Final = timedelta(seconds=30)
_OK: Final = 200

_FIND: Final = """
SELECT u.id AS user_id, u.role, w.id AS workspace_id
FROM users u JOIN workspaces w ON w.owner_id = u.id AND w.is_personal
WHERE u.identity = $1
"""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Another server whose tokens are taken. `jwks_url` of None is asked of its discovery."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    makes_accounts: bool = True


class Identities:
    """Proves tokens of one issuer and finds, or makes, the users they are of."""

    def __init__(self, database: Database, clock: Clock, http: HttpSender, issuer: Issuer) -> None:
        self._database = database
        self._clock = clock
        self._http = http
        self._issuer = issuer
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._fetching = asyncio.Lock()

    def issued(self, bearer: str) -> bool:
        """Whether a token says that it is of this issuer; proves nothing."""
        if len(bearer) > _MAX_TOKEN_LENGTH or bearer.count(".") != 2:  # noqa: PLR2004 -- RFC 7515
            return False
        try:
            said = jwt.decode(bearer, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            return False
        return said.get("iss") == self._issuer.issuer

    async def identify(self, bearer: str) -> Principal:
        """Return who a token proves; make an account for a user who comes for the first time.

        Raises Unauthenticated when it proves nobody, and Unavailable when the issuer's keys
        cannot be had.
        """
        claims = await self._proven(bearer)
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        identity = f"{self._issuer.issuer}|{claims['sub']}"
        rows = await self._database.fetch(_FIND, identity)
        if not rows:
            await self._make_account(identity, claims)
            rows = await self._database.fetch(_FIND, identity)
        row = rows[0]
        return Principal(row["user_id"], row["workspace_id"], Role(row["role"]), expires_at)

    async def _proven(self, bearer: str) -> dict[str, Any]:
        try:
            key = await self._key(jwt.get_unverified_header(bearer))
            claims = jwt.decode(
                bearer,
                key,
                algorithms=_ALGORITHMS,
                audience=self._issuer.audience,
                issuer=self._issuer.issuer,
                options={
                    "require": ["exp", "iat", "sub", "iss", "aud"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            self._check_times(claims)
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise _refused() from error
        if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255:  # noqa: PLR2004 -- OpenID Connect Core, section 2
            raise _refused()
        return claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        """Raise ValueError unless the token is good now, by the clock of this server."""
        now = self._clock.now()
        instants = [claims["exp"], claims["iat"], claims.get("nbf", 0)]
        if not all(type(each) in {int, float} for each in instants):
            raise ValueError("not an instant")
        until, *since = [datetime.fromtimestamp(each, UTC) for each in instants]
        if until <= now or any(each > now + _LEEWAY for each in since):
            raise ValueError("not now")

    async def _key(self, header: dict[str, Any]) -> jwt.PyJWK:
        if header.get("alg") not in _ALGORITHMS:
            raise _refused()
        wanted = header.get("kid")
        if self._is_old() or wanted not in self._keys:
            await self._refresh()
        key = self._keys.get(wanted)
        if key is None and wanted is None and len(self._keys) == 1:
            key = next(iter(self._keys.values()))
        if key is None or key.algorithm_name != header["alg"]:
            raise _refused()
        return key

    def _is_old(self) -> bool:
        return self._fetched_at is None or self._clock.now() - self._fetched_at > _KEYS_KEPT

    async def _refresh(self) -> None:
        """Fetch the keys, not more than twice a minute; the ones there are go on if that fails."""
        async with self._fetching:
            now = self._clock.now()
            if self._tried_at is not None and now - self._tried_at < _KEYS_RETRY:
                if self._fetched_at is None:
                    raise _unavailable()
                return
            self._tried_at = now
            try:
                self._keys = _keys(await self._document(await self._keys_url()))
                self._fetched_at = now
            except (StepFailed, ValueError, TypeError, KeyError) as error:
                log.warning("oidc.keys_not_fetched", issuer=self._issuer.issuer, error=str(error))
                if self._fetched_at is None:
                    raise _unavailable() from error

    async def _keys_url(self) -> str:
        if self._issuer.jwks_url is not None:
            return self._issuer.jwks_url
        base = self._issuer.issuer.rstrip("/")
        found = await self._document(f"{base}/.well-known/openid-configuration")
        if found["issuer"] != self._issuer.issuer:
            raise ValueError("the discovery document is of another issuer")
        return str(found["jwks_uri"])

    async def _document(self, url: str) -> dict[str, Any]:
        answer = await self._http.send(HttpRequest("GET", url, (("accept", "application/json"),)))
        if answer.status != _OK:
            raise ValueError(f"{url} answered {answer.status}")
        document = json.loads(answer.body)
        if not isinstance(document, dict):
            raise TypeError(f"{url} did not answer a JSON object")
        return document

    async def _make_account(self, identity: str, claims: dict[str, Any]) -> None:
        if not self._issuer.makes_accounts:
            raise Unauthenticated("There is no account for this identity; ask the operator.")
        user = self._new_user(identity, claims)

        async def store() -> None:
            async with self._database.transaction():
                if not await User.exists(identity=identity):
                    await user.save(force_create=True)
                    await personal_workspace(user).save(force_create=True)

        try:
            await self._database.retry(store)
        except IntegrityError as error:
            if await User.exists(identity=identity):  # another request was first
                return
            message = (
                "There is an account with the e-mail of this identity, which signs in with a "
                "password; ask the operator to change its e-mail."
            )
            raise Unauthenticated(message) from error

    def _new_user(self, identity: str, claims: dict[str, Any]) -> User:
        user_id = ids.new_id(ids.Kind.USER)
        address = _email(claims) or f"{user_id}@users.invalid"
        name = claims.get("name")
        return User(
            id=user_id,
            email=address,
            email_key=email_key(address),
            name=name[:200] if isinstance(name, str) and name.isprintable() else None,
            role=Role.USER.value,
            password_hash="",
            identity=identity,
            created_at=self._clock.now(),
        )


def _email(claims: dict[str, Any]) -> str | None:
    """Return the e-mail that the issuer has proven; others may be anybody's."""
    given = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(given, str):
        return None
    try:
        return clean_email(given)
    except InvalidInput:
        return None


def _keys(document: dict[str, Any]) -> dict[str | None, jwt.PyJWK]:
    """Return the keys that sign, by their id; what is no key that we take is left out."""
    keys: dict[str | None, jwt.PyJWK] = {}
    for each in document["keys"]:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(each)
        except (jwt.PyJWTError, ValueError):
            continue
        if key.algorithm_name in _ALGORITHMS:
            keys[each.get("kid")] = key
    return keys


def _refused() -> Unauthenticated:
    return Unauthenticated("The identity token is not valid; sign in again.")


def _unavailable() -> Unavailable:
    return Unavailable("The keys of the identity provider cannot be had; try again.")
