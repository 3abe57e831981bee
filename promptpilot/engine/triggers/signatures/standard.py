"""STANDARD: Standard Webhooks, and Svix, which has the same under another name."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from promptpilot.engine.triggers.signatures.headers import read_message_id, read_timestamp
from promptpilot.engine.triggers.signatures.keys import hmac_sha256, random_key
from promptpilot.engine.triggers.signatures.scheme import Claim, Headers, Scheme
from promptpilot.engine.triggers.signatures.verdict import FailureCode, Refused
from promptpilot.errors import InvalidInput

_PREFIX: Final = "whsec_"
_SIGNATURE = re.compile(r"v1,([A-Za-z0-9+/]{43}=)")
_KEY_BYTES: Final = range(24, 65)


def _read(headers: Headers) -> Claim:
    is_svix = "webhook-signature" not in headers and "svix-signature" in headers
    name = "svix" if is_svix else "webhook"
    listed = headers.get(f"{name}-signature", "").split(" ")
    found = [match[1] for part in listed if (match := _SIGNATURE.fullmatch(part))]
    if not any(listed):
        raise Refused(FailureCode.SIGNATURE_MISSING)
    if not found:
        raise Refused(FailureCode.SIGNATURE_MALFORMED)
    message_id = read_message_id(headers.get(f"{name}-id"))
    return Claim(tuple(found), message_id, read_timestamp(headers.get(f"{name}-timestamp")))


def _sign(key: bytes, claim: Claim, body: bytes) -> str:
    content = f"{claim.message_id}.{claim.timestamp}.".encode() + body
    return base64.b64encode(hmac_sha256(key, content)).decode()


def _write(claim: Claim) -> dict[str, str]:
    return {
        "webhook-id": str(claim.message_id),
        "webhook-timestamp": str(claim.timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in claim.signatures),
    }


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    is_canonical = base64.b64encode(key).decode().rstrip("=") == encoded
    if not secret.startswith(_PREFIX) or not is_canonical or len(key) not in _KEY_BYTES:
        message = "The secret must be `whsec_` followed by the base64 of 24 to 64 bytes."
        raise InvalidInput(message, ("secret",))
    return key


def _new_secret() -> str:
    return _PREFIX + base64.b64encode(random_key()).decode()


STANDARD: Final = Scheme(
    read=_read, sign=_sign, write=_write, key=_key, new_secret=_new_secret, has_timestamp=True
)
