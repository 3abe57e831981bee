"""STRIPE: one header holds the time and the signatures; the id is that of the event in the body."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from promptpilot.engine.triggers.signatures.headers import is_hex, message_id_at, read_timestamp
from promptpilot.engine.triggers.signatures.keys import hmac_sha256, random_hex, text_key
from promptpilot.engine.triggers.signatures.scheme import Claim, Headers, Scheme
from promptpilot.engine.triggers.signatures.verdict import FailureCode, Refused

_HEADER: Final = "stripe-signature"
_PART = re.compile(r"([a-z0-9]{1,16})=([!-~]*)")


def _read(headers: Headers) -> Claim:
    text = headers.get(_HEADER)
    if not text:
        raise Refused(FailureCode.SIGNATURE_MISSING)
    parts = [_part(part) for part in text.split(",")]
    times = [value for name, value in parts if name == "t"]
    signatures = [value for name, value in parts if name == "v1" and is_hex(value)]
    if not signatures:
        raise Refused(FailureCode.SIGNATURE_MALFORMED)
    if len(times) > 1:
        raise Refused(FailureCode.TIMESTAMP_MALFORMED)
    return Claim(tuple(signatures), timestamp=read_timestamp("".join(times)))


def _part(text: str) -> tuple[str, str]:
    part = _PART.fullmatch(text)
    if part is None:
        raise Refused(FailureCode.SIGNATURE_MALFORMED)
    return part[1], part[2]


def _sign(key: bytes, claim: Claim, body: bytes) -> str:
    return hmac_sha256(key, f"{claim.timestamp}.".encode() + body).hex()


def _write(claim: Claim) -> dict[str, str]:
    return {_HEADER: ",".join([f"t={claim.timestamp}", *(f"v1={one}" for one in claim.signatures)])}


def _new_secret() -> str:
    return f"whsec_{random_hex()}"


STRIPE: Final = Scheme(
    read=_read,
    sign=_sign,
    write=_write,
    key=text_key,
    new_secret=_new_secret,
    has_timestamp=True,
    message_id_in=partial(message_id_at, name="id"),
)
