"""Proves who sent an inbound call, over the raw bytes and before anything is parsed.

Rules: a scheme is one row of `SCHEMES`; verify() knows none of them. Texts are compared in
constant time and in their encoded form, so that a signature has one spelling only. What an
unproven call says about itself (its id, its event) is not handed on.
Units: timestamps are whole seconds since the epoch.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from promptpilot import ids
from promptpilot.errors import InvalidInput

Headers = Mapping[str, str]
Secret = str | bytes

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_MESSAGE_ID = re.compile(r"[!-~]{1,255}")
# `id.timestamp.body` can be cut in two places when the id itself holds a plausible timestamp.
_AMBIGUOUS_ID = re.compile(r"\.[0-9]{10,12}(\.|$)")
_STANDARD_PREFIX = "whsec_"
_STANDARD_SIGNATURE = re.compile(r"v1,([A-Za-z0-9+/]{43}=)")
_GITHUB_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_GITHUB_EVENT = re.compile(r"[a-z0-9_]{1,100}")


class WebhookScheme(StrEnum):
    """How an inbound call proves who sent it."""

    STANDARD = "STANDARD"
    GITHUB = "GITHUB"
    STRIPE = "STRIPE"
    SLACK = "SLACK"
    HMAC_SHA256 = "HMAC_SHA256"
    SHARED_SECRET = "SHARED_SECRET"  # noqa: S105 -- the name of a scheme
    API_KEY = "API_KEY"


class FailureCode(StrEnum):
    """Why a call was refused; recorded with the firing."""

    SIGNATURE_MISSING = "SIGNATURE_MISSING"
    SIGNATURE_MALFORMED = "SIGNATURE_MALFORMED"
    SIGNATURE_MISMATCH = "SIGNATURE_MISMATCH"
    TIMESTAMP_MISSING = "TIMESTAMP_MISSING"
    TIMESTAMP_MALFORMED = "TIMESTAMP_MALFORMED"
    TIMESTAMP_TOO_OLD = "TIMESTAMP_TOO_OLD"
    TIMESTAMP_TOO_NEW = "TIMESTAMP_TOO_NEW"
    MESSAGE_ID_MISSING = "MESSAGE_ID_MISSING"
    MESSAGE_ID_MALFORMED = "MESSAGE_ID_MALFORMED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verify() found. `message_id` and `event` are None unless the call is verified."""

    is_verified: bool
    failure_code: FailureCode | None = None
    used_previous_secret: bool = False
    message_id: str | None = None
    event: str | None = None

    @property
    def is_ping(self) -> bool:
        """Whether the sender only tries out the address; nothing is to be started."""
        return self.event == "ping"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call says about itself: its signatures in their encoded form, and what they cover."""

    signatures: tuple[str, ...]
    message_id: str
    timestamp: int | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way of signing.

    `read` finds the claim in (headers, body) or raises Refused; `sign` encodes the signature of
    (key, claim, body); `write` makes the headers of a claim; `key` decodes and checks the text of
    a secret or raises InvalidInput; `new_secret` makes such a text.
    """

    read: Callable[[Headers, bytes], Claim]
    sign: Callable[[bytes, Claim, bytes], str]
    write: Callable[[Claim], dict[str, str]]
    key: Callable[[str], bytes]
    new_secret: Callable[[], str]
    has_timestamp: bool


class Refused(Exception):
    """A call cannot be verified; says why."""

    def __init__(self, code: FailureCode) -> None:
        super().__init__(code)
        self.code = code


def verify(
    scheme: WebhookScheme,
    secrets: Sequence[Secret],
    headers: Headers,
    body: bytes,
    now: datetime,
    tolerance: timedelta,
) -> Verdict:
    """Judge a call. `headers` have lower-case names; `secrets` are the current one, then older.

    A secret is its text, or its key as bytes. Nothing in `headers` and `body` makes this raise;
    a scheme that is not supported and a secret that cannot be one raise InvalidInput.
    """
    row = _row(scheme)
    keys = [_key(row, secret) for secret in secrets]
    try:
        claim = row.read(headers, body)
        _check_age(claim, now, tolerance)
        position = _matching_key(row, keys, claim, body)
    except Refused as refused:
        return Verdict(is_verified=False, failure_code=refused.code)
    return Verdict(
        is_verified=True,
        used_previous_secret=position > 0,
        message_id=claim.message_id,
        event=claim.event,
    )


def sign(
    scheme: WebhookScheme, secret: Secret, body: bytes, message_id: str, now: datetime
) -> dict[str, str]:
    """Return the headers, in lower case, that make verify() accept `body` at `now`.

    Raises InvalidInput when `message_id` could not be read back.
    """
    row = _row(scheme)
    try:
        _check_message_id(message_id)
    except Refused as refused:
        message = "The message id must be 1 to 255 visible ASCII characters without a timestamp."
        raise InvalidInput(message, ("messageId",)) from refused
    timestamp = int(now.timestamp()) if row.has_timestamp else None
    claim = Claim((), message_id, timestamp)
    signature = row.sign(_key(row, secret), claim, body)
    return row.write(Claim((signature,), message_id, timestamp))


def is_supported(scheme: WebhookScheme) -> bool:
    """Whether a trigger may be saved with `scheme`."""
    return scheme in SCHEMES


def new_secret(scheme: WebhookScheme) -> str:
    """Return the text of a fresh secret of 32 random bytes, as the scheme's senders expect it."""
    return _row(scheme).new_secret()


def check_secret(scheme: WebhookScheme, secret: str) -> None:
    """Raise InvalidInput, saying what to change, when `secret` cannot be one of `scheme`."""
    _row(scheme).key(secret)


def preview(secret: str) -> str:
    """Return the start and the end of a secret, to recognise it by; nothing of a short one."""
    start = len(_STANDARD_PREFIX) if secret.startswith(_STANDARD_PREFIX) else 0
    if len(secret) - start < 16:  # noqa: PLR2004 -- six characters of it must not give it away
        return "…"
    return f"{secret[: start + 3]}…{secret[-3:]}"


def _row(scheme: WebhookScheme) -> Scheme:
    if scheme not in SCHEMES:
        supported = ", ".join(SCHEMES)
        message = f"The scheme {scheme} is not supported yet; use one of {supported}."
        raise InvalidInput(message, ("scheme",))
    return SCHEMES[scheme]


def _key(row: Scheme, secret: Secret) -> bytes:
    key = row.key(secret) if isinstance(secret, str) else secret
    if not key:
        raise InvalidInput("A webhook secret must not be empty.", ("secret",))
    return key


def _check_age(claim: Claim, now: datetime, tolerance: timedelta) -> None:
    if claim.timestamp is None:
        return
    age_seconds = now.timestamp() - claim.timestamp
    if age_seconds > tolerance.total_seconds():
        raise Refused(FailureCode.TIMESTAMP_TOO_OLD)
    if -age_seconds > tolerance.total_seconds():
        raise Refused(FailureCode.TIMESTAMP_TOO_NEW)


def _matching_key(row: Scheme, keys: Sequence[bytes], claim: Claim, body: bytes) -> int:
    """Return which key signed; every key is tried, so that the time taken does not tell."""
    matches = []
    for key in keys:
        expected = row.sign(key, claim, body).encode()
        equal = [hmac.compare_digest(expected, given.encode()) for given in claim.signatures]
        matches.append(any(equal))
    if True not in matches:
        raise Refused(FailureCode.SIGNATURE_MISMATCH)
    return matches.index(True)


def _check_message_id(text: str | None) -> str:
    if not text:
        raise Refused(FailureCode.MESSAGE_ID_MISSING)
    if not _MESSAGE_ID.fullmatch(text) or _AMBIGUOUS_ID.search(text):
        raise Refused(FailureCode.MESSAGE_ID_MALFORMED)
    return text


def _read_timestamp(text: str | None) -> int:
    if not text:
        raise Refused(FailureCode.TIMESTAMP_MISSING)
    if not _TIMESTAMP.fullmatch(text):
        raise Refused(FailureCode.TIMESTAMP_MALFORMED)
    return int(text)


def _hmac_sha256(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")


def _random_bytes() -> bytes:
    return base64.urlsafe_b64decode(ids.new_secret(32) + "=")


# Standard Webhooks, and Svix, which has the same under another name.


def _read_standard(headers: Headers, body: bytes) -> Claim:
    is_svix = "webhook-signature" not in headers and "svix-signature" in headers
    name = "svix" if is_svix else "webhook"
    listed = headers.get(f"{name}-signature", "").split(" ")
    found = [match[1] for part in listed if (match := _STANDARD_SIGNATURE.fullmatch(part))]
    if not any(listed):
        raise Refused(FailureCode.SIGNATURE_MISSING)
    if not found:
        raise Refused(FailureCode.SIGNATURE_MALFORMED)
    message_id = _check_message_id(headers.get(f"{name}-id"))
    return Claim(tuple(found), message_id, _read_timestamp(headers.get(f"{name}-timestamp")))


def _sign_standard(key: bytes, claim: Claim, body: bytes) -> str:
    content = f"{claim.message_id}.{claim.timestamp}.".encode() + body
    return base64.b64encode(_hmac_sha256(key, content)).decode()


def _write_standard(claim: Claim) -> dict[str, str]:
    return {
        "webhook-id": claim.message_id,
        "webhook-timestamp": str(claim.timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in claim.signatures),
    }


def _standard_key(secret: str) -> bytes:
    encoded = secret.removeprefix(_STANDARD_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    is_canonical = base64.b64encode(key).decode().rstrip("=") == encoded
    if not secret.startswith(_STANDARD_PREFIX) or not is_canonical or not 24 <= len(key) <= 64:  # noqa: PLR2004 -- the limits of Standard Webhooks
        message = "The secret must be `whsec_` followed by the base64 of 24 to 64 bytes."
        raise InvalidInput(message, ("secret",))
    return key


def _new_standard_secret() -> str:
    return _STANDARD_PREFIX + base64.b64encode(_random_bytes()).decode()


# GitHub signs the body alone; its delivery id is a name, not a proof.


def _read_github(headers: Headers, body: bytes) -> Claim:
    text = headers.get("x-hub-signature-256")
    if not text:
        raise Refused(FailureCode.SIGNATURE_MISSING)
    signature = _GITHUB_SIGNATURE.fullmatch(text)
    if signature is None:
        raise Refused(FailureCode.SIGNATURE_MALFORMED)
    message_id = _check_message_id(headers.get("x-github-delivery"))
    event = _GITHUB_EVENT.fullmatch(headers.get("x-github-event", ""))
    return Claim((signature[1],), message_id, event=event and event[0])


def _sign_github(key: bytes, claim: Claim, body: bytes) -> str:
    return _hmac_sha256(key, body).hex()


def _write_github(claim: Claim) -> dict[str, str]:
    signature = "".join(claim.signatures)
    return {"x-github-delivery": claim.message_id, "x-hub-signature-256": f"sha256={signature}"}


def _github_key(secret: str) -> bytes:
    if not 16 <= len(secret) <= 256 or not secret.isprintable():  # noqa: PLR2004 -- said in the message
        raise InvalidInput("The secret must be 16 to 256 printable characters.", ("secret",))
    return secret.encode()


def _new_github_secret() -> str:
    return _random_bytes().hex()


SCHEMES: Mapping[WebhookScheme, Scheme] = {
    WebhookScheme.STANDARD: Scheme(
        read=_read_standard,
        sign=_sign_standard,
        write=_write_standard,
        key=_standard_key,
        new_secret=_new_standard_secret,
        has_timestamp=True,
    ),
    WebhookScheme.GITHUB: Scheme(
        read=_read_github,
        sign=_sign_github,
        write=_write_github,
        key=_github_key,
        new_secret=_new_github_secret,
        has_timestamp=False,
    ),
}
