"""HMAC_SHA256: a time and a body, signed by whoever has no scheme of their own.

There is no id: one that the signature does not cover would let a recorded call start again.
"""

from __future__ import annotations

from typing import Final

from promptpilot.engine.triggers.signatures.headers import read_hex, read_timestamp
from promptpilot.engine.triggers.signatures.keys import hmac_sha256, random_hex, text_key
from promptpilot.engine.triggers.signatures.scheme import Claim, Headers, Scheme

_SIGNATURE: Final = "x-signature"
_TIMESTAMP: Final = "x-timestamp"


def _read(headers: Headers) -> Claim:
    signature = read_hex(headers.get(_SIGNATURE))
    return Claim((signature,), timestamp=read_timestamp(headers.get(_TIMESTAMP)))


def _sign(key: bytes, claim: Claim, body: bytes) -> str:
    return hmac_sha256(key, f"{claim.timestamp}.".encode() + body).hex()


def _write(claim: Claim) -> dict[str, str]:
    return {_SIGNATURE: "".join(claim.signatures), _TIMESTAMP: str(claim.timestamp)}


HMAC_SHA256: Final = Scheme(
    read=_read, sign=_sign, write=_write, key=text_key, new_secret=random_hex, has_timestamp=True
)
