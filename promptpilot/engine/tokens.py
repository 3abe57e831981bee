"""Session tokens (short JWTs), refresh tokens, and access tokens (stored as a hash).

Units: a JWT's instants are whole seconds since the epoch.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from promptpilot import ids
from promptpilot.errors import Misconfigured, Unauthenticated

MAX_LIFETIME = timedelta(minutes=15)
MIN_SECRET_BYTES = 32

_PEM = b"-----BEGIN"
_MAX_TOKEN_LENGTH = 2048
_REQUIRED = ["exp", "sub", "iat", "aud", "iss"]
# The clocks of two servers differ; a token of the other one is not from the future.
_CLOCK_SKEW = timedelta(seconds=10)
_ACCESS_TOKEN = re.compile(r"pp_[0-9a-z]{8}_[A-Za-z0-9_-]{43}")
_PREVIEW_LENGTH = len("pp_01234567")
_REFRESH_TOKEN = re.compile(r"ppr_([0-9a-z]{26})_([1-9][0-9]{0,8})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a session token says, once it is proven."""

    user_id: str
    session_id: str | None
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewToken:
    """A fresh access token: `text` is shown once, `sha256` and `preview` are stored."""

    text: str = field(repr=False)
    sha256: str
    preview: str


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """Issues and reads session tokens: one algorithm alone, for at most 15 minutes.

    A secret that is an Ed25519 private key in PEM signs with EdDSA, any other text with HS256.
    """

    secret: bytes = field(repr=False)
    issuer: str
    audience: str
    lifetime: timedelta = MAX_LIFETIME

    def __post_init__(self) -> None:
        faults = []
        if self.secret.startswith(_PEM):
            _signing(self.secret)
        elif len(self.secret) < MIN_SECRET_BYTES:
            faults.append(f"The session secret must have at least {MIN_SECRET_BYTES} bytes.")
        if not timedelta(seconds=1) <= self.lifetime <= MAX_LIFETIME:
            faults.append("The lifetime of a session must be between 1 second and 15 minutes.")
        if faults:
            raise Misconfigured(faults)

    def issue(
        self, user_id: str, now: datetime, session_id: str | None = None
    ) -> tuple[str, datetime]:
        """Return a token for `user_id` and the instant from which it is refused."""
        issued_at = now.replace(microsecond=0)
        expires_at = issued_at + self.lifetime
        claims = {
            "sub": user_id,
            "iat": issued_at,
            "exp": expires_at,
            "iss": self.issuer,
            "aud": self.audience,
            **({} if session_id is None else {"sid": session_id}),
        }
        algorithm, key, _ = _signing(self.secret)
        return jwt.encode(claims, key, algorithm=algorithm), expires_at

    def refresh_token(self, session_id: str, generation: int) -> str:
        """Return the text that renews a session once: `ppr_<session>_<generation>_<proof>`.

        It is made of what it says and the secret, so that nothing of it has to be stored and the
        same question has the same answer.
        """
        body = session_id.partition("_")[2]
        proof = hmac.digest(_refresh_key(self.secret), f"{body}|{generation}".encode(), "sha256")
        return f"ppr_{body}_{generation}_{jwt.utils.base64url_encode(proof).decode()}"

    def read_refresh_token(self, text: str) -> tuple[str, int] | None:
        """Return the session and the generation that a refresh token proves; None if it is none."""
        found = _REFRESH_TOKEN.fullmatch(text)
        if found is None:
            return None
        session_id, generation = f"{ids.Kind.SESSION}_{found[1]}", int(found[2])
        is_ours = hmac.compare_digest(text, self.refresh_token(session_id, generation))
        return (session_id, generation) if is_ours else None

    def read(self, token: str, now: datetime) -> Claims:
        """Return what `token` proves. Raise Unauthenticated for whatever is not our valid token."""
        claims = self._proven(token)
        if claims.expires_at <= now:
            raise Unauthenticated("The session has expired; log in again.")
        if claims.issued_at > now + _CLOCK_SKEW:
            raise _invalid()
        if claims.expires_at - claims.issued_at > MAX_LIFETIME:
            raise _invalid()
        return claims

    def _proven(self, token: str) -> Claims:
        if len(token) > _MAX_TOKEN_LENGTH:
            raise _invalid()
        try:
            payload = self._decode(token)
            return Claims(
                _user_id(payload),
                _session_id(payload),
                _instant(payload, "iat"),
                _instant(payload, "exp"),
            )
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise _invalid() from error

    def _decode(self, token: str) -> dict[str, Any]:
        # The instants are compared by read(), with the caller's clock.
        algorithm, _, key = _signing(self.secret)
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self.audience,
            issuer=self.issuer,
            options={
                "require": _REQUIRED,
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )


def new_access_token() -> NewToken:
    """Return a fresh personal access token or API key: `pp_<8 characters>_<43 characters>`."""
    text = f"pp_{ids.new_reference()[:8]}_{ids.new_secret(32)}"
    return NewToken(text, hash_access_token(text), text[:_PREVIEW_LENGTH])


def hash_access_token(text: str) -> str:
    """Return the SHA-256, in hexadecimal, that a token is stored and found by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def looks_like_access_token(text: str) -> bool:
    """Whether `text` has the form of an access token. Says nothing about the row."""
    return _ACCESS_TOKEN.fullmatch(text) is not None


def _user_id(payload: dict[str, Any]) -> str:
    user_id = payload["sub"]
    if not isinstance(user_id, str) or not ids.is_id(user_id, ids.Kind.USER):
        raise ValueError("not the id of a user")
    return user_id


def _session_id(payload: dict[str, Any]) -> str | None:
    session_id = payload.get("sid")
    if session_id is None:
        return None
    if not isinstance(session_id, str) or not ids.is_id(session_id, ids.Kind.SESSION):
        raise ValueError("not the id of a session")
    return session_id


@lru_cache(maxsize=8)
def _signing(secret: bytes) -> tuple[str, Any, Any]:
    """Return the algorithm of a secret, what signs with it and what proves it."""
    if not secret.startswith(_PEM):
        return "HS256", secret, secret
    try:
        key = load_pem_private_key(secret, password=None)
    except (ValueError, TypeError) as error:
        raise Misconfigured(["The session secret is a PEM text that cannot be read."]) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(["The session secret must be an Ed25519 private key, or a text."])
    return "EdDSA", key, key.public_key()


@lru_cache(maxsize=8)
def _refresh_key(secret: bytes) -> bytes:
    return hmac.digest(secret, b"promptpilot refresh token", "sha256")


def _instant(payload: dict[str, Any], name: str) -> datetime:
    seconds = payload[name]
    if type(seconds) is not int:
        raise ValueError("not whole seconds")
    return datetime.fromtimestamp(seconds, UTC)


def _invalid() -> Unauthenticated:
    return Unauthenticated("The session token is not valid; log in again.")
