"""Reads the parts of a call that schemes have in common: ids, times and signatures in hex."""

from __future__ import annotations

import re
from typing import Any

from promptpilot.engine.triggers.signatures.verdict import FailureCode, Refused

_TIMESTAMP = re.compile(r"0|[1-9][0-9]{0,11}")
_MESSAGE_ID = re.compile(r"[!-~]{1,255}")
# `id.timestamp.body` can be cut in two places when the id itself holds a plausible timestamp.
_AMBIGUOUS_ID = re.compile(r"\.[0-9]{10,12}(\.|$)")
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_message_id(text: str | None) -> str:
    """Return the id in a header. Raises Refused."""
    if not text:
        raise Refused(FailureCode.MESSAGE_ID_MISSING)
    if not _MESSAGE_ID.fullmatch(text) or _AMBIGUOUS_ID.search(text):
        raise Refused(FailureCode.MESSAGE_ID_MALFORMED)
    return text


def message_id_at(payload: Any, name: str) -> str | None:
    """Return the id in a field of a payload; None when there is none that could be one."""
    value = payload.get(name) if isinstance(payload, dict) else None
    return value if isinstance(value, str) and _MESSAGE_ID.fullmatch(value) else None


def read_timestamp(text: str | None) -> int:
    """Return the seconds in a header, which have one spelling only. Raises Refused."""
    if not text:
        raise Refused(FailureCode.TIMESTAMP_MISSING)
    if not _TIMESTAMP.fullmatch(text):
        raise Refused(FailureCode.TIMESTAMP_MALFORMED)
    return int(text)


def read_hex(text: str | None, prefix: str = "") -> str:
    """Return the 64 hexadecimal digits after `prefix` in a header. Raises Refused."""
    if not text:
        raise Refused(FailureCode.SIGNATURE_MISSING)
    if not text.startswith(prefix) or not is_hex(text.removeprefix(prefix)):
        raise Refused(FailureCode.SIGNATURE_MALFORMED)
    return text.removeprefix(prefix)


def is_hex(text: str) -> bool:
    """Whether `text` is an HMAC-SHA256 as senders write it: 64 digits in lower case."""
    return _HEX_SHA256.fullmatch(text) is not None
