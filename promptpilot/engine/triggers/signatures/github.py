"""GITHUB: signs the body alone; the id of a delivery is a name, not a proof."""

from __future__ import annotations

import re
from typing import Final

from promptpilot.engine.triggers.signatures.headers import read_hex, read_message_id
from promptpilot.engine.triggers.signatures.keys import hmac_sha256, random_hex, text_key
from promptpilot.engine.triggers.signatures.scheme import Claim, Headers, Scheme

_SIGNATURE: Final = "x-hub-signature-256"
_DELIVERY: Final = "x-github-delivery"
_PREFIX: Final = "sha256="
_EVENT = re.compile(r"[a-z0-9_]{1,100}")


def _read(headers: Headers) -> Claim:
    signature = read_hex(headers.get(_SIGNATURE), _PREFIX)
    message_id = read_message_id(headers.get(_DELIVERY))
    event = _EVENT.fullmatch(headers.get("x-github-event", ""))
    return Claim((signature,), message_id, event=event and event[0])


def _sign(key: bytes, claim: Claim, body: bytes) -> str:
    return hmac_sha256(key, body).hex()


def _write(claim: Claim) -> dict[str, str]:
    signature = "".join(claim.signatures)
    return {_DELIVERY: str(claim.message_id), _SIGNATURE: f"{_PREFIX}{signature}"}


GITHUB: Final = Scheme(
    read=_read,
    sign=_sign,
    write=_write,
    key=text_key,
    new_secret=random_hex,
    has_timestamp=False,
    has_forms=True,
)
