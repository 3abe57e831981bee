"""SHARED_SECRET: the secret itself stands in a header, for senders that cannot sign.

Who has it can send anything, so the sender's own id of a message is taken on trust.
"""

from __future__ import annotations

import re
from typing import Final

from promptpilot.engine.triggers.signatures.headers import read_message_id
from promptpilot.engine.triggers.signatures.keys import header_key, random_hex
from promptpilot.engine.triggers.signatures.scheme import Claim, Headers, Scheme
from promptpilot.engine.triggers.signatures.verdict import FailureCode, Refused

_SECRET: Final = "x-webhook-secret"  # noqa: S105 -- the name of a header
_MESSAGE_ID: Final = "x-message-id"
_VISIBLE = re.compile(r"[!-~]{1,256}")


def _read(headers: Headers) -> Claim:
    text = headers.get(_SECRET)
    if not text:
        raise Refused(FailureCode.SIGNATURE_MISSING)
    if not _VISIBLE.fullmatch(text):
        raise Refused(FailureCode.SIGNATURE_MALFORMED)
    has_id = _MESSAGE_ID in headers
    return Claim((text,), read_message_id(headers[_MESSAGE_ID]) if has_id else None)


def _sign(key: bytes, claim: Claim, body: bytes) -> str:
    return key.decode("latin-1")


def _write(claim: Claim) -> dict[str, str]:
    return {_SECRET: "".join(claim.signatures), _MESSAGE_ID: str(claim.message_id)}


SHARED_SECRET: Final = Scheme(
    read=_read,
    sign=_sign,
    write=_write,
    key=header_key,
    new_secret=random_hex,
    has_timestamp=False,
)
