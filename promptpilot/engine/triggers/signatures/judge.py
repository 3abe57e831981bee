"""Judges calls and signs them, whatever their scheme."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from promptpilot.engine.triggers.signatures.headers import read_message_id
from promptpilot.engine.triggers.signatures.registry import SCHEMES, scheme_of
from promptpilot.engine.triggers.signatures.scheme import Claim, Headers, Scheme, WebhookScheme
from promptpilot.engine.triggers.signatures.verdict import FailureCode, Refused, Verdict
from promptpilot.errors import InvalidInput

Secret = str | bytes

#: Secrets of STANDARD and STRIPE begin with it.
_PREFIX: Final = "whsec_"


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
    a scheme that is not of webhooks and a secret that cannot be one raise InvalidInput.
    """
    row = scheme_of(scheme)
    keys = [_key(row, secret) for secret in secrets]
    try:
        claim = row.read(headers)
        _check_age(claim, now, tolerance)
        position = _matching_key(row, keys, claim, body)
    except Refused as refused:
        return Verdict(is_verified=False, failure_code=refused.code)
    return Verdict(
        is_verified=True,
        used_previous_secret=position > 0,
        message_id=claim.message_id,
        timestamp=claim.timestamp,
        event=claim.event,
    )


def sign(
    scheme: WebhookScheme, secret: Secret, body: bytes, message_id: str, now: datetime
) -> dict[str, str]:
    """Return the headers, in lower case, that make verify() accept `body` at `now`.

    Schemes without a header for the id leave it out. Raises InvalidInput when `message_id` could
    not be read back.
    """
    row = scheme_of(scheme)
    try:
        read_message_id(message_id)
    except Refused as refused:
        message = "The message id must be 1 to 255 visible ASCII characters without a timestamp."
        raise InvalidInput(message, ("messageId",)) from refused
    timestamp = int(now.timestamp()) if row.has_timestamp else None
    claim = Claim((), message_id, timestamp)
    signature = row.sign(_key(row, secret), claim, body)
    return row.write(Claim((signature,), message_id, timestamp))


def message_id_in(scheme: WebhookScheme, payload: Any) -> str | None:
    """Return the id that the payload of a verified call has for it; None: its scheme has none."""
    return scheme_of(scheme).message_id_in(payload)


def challenge_in(scheme: WebhookScheme, payload: Any) -> str | None:
    """Return what the sender of a verified call wants to hear back; None: it is no such question.

    Raises InvalidInput for a question without a text.
    """
    return scheme_of(scheme).challenge_in(payload)


def reads_forms(scheme: WebhookScheme) -> bool:
    """Whether senders of `scheme` may send forms instead of JSON."""
    return scheme_of(scheme).has_forms


def is_supported(scheme: WebhookScheme) -> bool:
    """Whether a trigger may be saved with `scheme`."""
    return scheme in SCHEMES


def new_secret(scheme: WebhookScheme) -> str:
    """Return the text of a fresh secret of 32 random bytes, as the scheme's senders expect it."""
    return scheme_of(scheme).new_secret()


def check_secret(scheme: WebhookScheme, secret: str) -> None:
    """Raise InvalidInput, saying what to change, when `secret` cannot be one of `scheme`."""
    scheme_of(scheme).key(secret)


def preview(secret: str) -> str:
    """Return the start and the end of a secret, to recognise it by; nothing of a short one."""
    start = len(_PREFIX) if secret.startswith(_PREFIX) else 0
    if len(secret) - start < 16:  # noqa: PLR2004 -- six characters of it must not give it away
        return "…"
    return f"{secret[: start + 3]}…{secret[-3:]}"


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
