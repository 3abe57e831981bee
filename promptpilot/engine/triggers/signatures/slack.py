"""SLACK: events, slash commands and interactions; Slack asks for a challenge to be repeated."""

from __future__ import annotations

from typing import Any, Final

from promptpilot.engine.triggers.signatures.headers import message_id_at, read_hex, read_timestamp
from promptpilot.engine.triggers.signatures.keys import hmac_sha256, random_hex, text_key
from promptpilot.engine.triggers.signatures.scheme import Claim, Headers, Scheme
from promptpilot.errors import InvalidInput

_SIGNATURE: Final = "x-slack-signature"
_TIMESTAMP: Final = "x-slack-request-timestamp"
_PREFIX: Final = "v0="


def _read(headers: Headers) -> Claim:
    signature = read_hex(headers.get(_SIGNATURE), _PREFIX)
    return Claim((signature,), timestamp=read_timestamp(headers.get(_TIMESTAMP)))


def _sign(key: bytes, claim: Claim, body: bytes) -> str:
    return hmac_sha256(key, f"v0:{claim.timestamp}:".encode() + body).hex()


def _write(claim: Claim) -> dict[str, str]:
    signature = "".join(claim.signatures)
    return {_SIGNATURE: f"{_PREFIX}{signature}", _TIMESTAMP: str(claim.timestamp)}


def _message_id_in(payload: Any) -> str | None:
    return message_id_at(payload, "event_id") or message_id_at(payload, "trigger_id")


def _challenge_in(payload: Any) -> str | None:
    if not isinstance(payload, dict) or payload.get("type") != "url_verification":
        return None
    challenge = payload.get("challenge")
    if not isinstance(challenge, str):
        message = "The challenge of a url_verification must be a text."
        raise InvalidInput(message, ("payload", "challenge"))
    return challenge


SLACK: Final = Scheme(
    read=_read,
    sign=_sign,
    write=_write,
    key=text_key,
    new_secret=random_hex,
    has_timestamp=True,
    has_forms=True,
    message_id_in=_message_id_in,
    challenge_in=_challenge_in,
)
