"""Ids and secrets: the only place that makes randomness.

An id is a typed prefix and a UUIDv7 in lower-case base32 (`wf_01k…`): it sorts by creation time
and says in a log what it belongs to. A step execution's id is made of its execution's id and its
path, so that a step that was not reached yet has one too.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from enum import StrEnum

import uuid_utils

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Two digits at a time: ids are made for every execution and every firing.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = tuple(range(120, -1, -10))
_BODY = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
_STEP_BODY = re.compile(r"([0-7][0-9a-hjkmnp-tv-z]{25})-([0-9a-z.]{1,64})")


class Kind(StrEnum):
    """What an id belongs to; the value is its prefix."""

    USER = "usr"
    WORKSPACE = "ws"
    ACCESS_TOKEN = "tok"  # noqa: S105 -- a prefix, not a secret
    PROMPT = "pr"
    PROMPT_VERSION = "pv"
    WORKFLOW = "wf"
    WORKFLOW_VERSION = "wv"
    STEP = "st"
    VARIABLE = "var"
    TRIGGER = "trg"
    FIRING = "fir"
    EXECUTION = "ex"
    STEP_EXECUTION = "sx"
    DEAD_LETTER = "dl"
    CREDENTIAL = "cred"
    PLATFORM_EVENT = "ev"
    SESSION = "ses"
    AUDIT_ENTRY = "aud"
    WEBHOOK_ENDPOINT = "whe"
    WEBHOOK_DELIVERY = "whd"
    STEP_SECRET = "sec"  # noqa: S105 -- a prefix, not a secret


def new_id(kind: Kind) -> str:
    """Return a fresh id of `kind`."""
    number = uuid_utils.uuid7().int
    return f"{kind}_{_base32(number)}"


def is_id(text: str, kind: Kind) -> bool:
    """Whether `text` has the form of an id of `kind`. Says nothing about the row."""
    prefix, _, body = text.partition("_")
    pattern = _STEP_BODY if kind is Kind.STEP_EXECUTION else _BODY
    return prefix == kind and pattern.fullmatch(body) is not None


def kind_of(text: str) -> Kind | None:
    """Return what `text` is an id of; None when it has no such form."""
    prefix = text.partition("_")[0]
    kind = Kind(prefix) if prefix in set(Kind) else None
    return kind if kind is not None and is_id(text, kind) else None


def step_execution_id(execution_id: str, path: str) -> str:
    """Return the id of the step execution at `path` of an execution."""
    return f"{Kind.STEP_EXECUTION}_{execution_id.partition('_')[2]}-{path}"


def split_step_execution_id(text: str) -> tuple[str, str] | None:
    """Return (execution id, path); None when `text` is not the id of a step execution."""
    match = _STEP_BODY.fullmatch(text.removeprefix(f"{Kind.STEP_EXECUTION}_"))
    if match is None or not is_id(text, Kind.STEP_EXECUTION):
        return None
    return f"{Kind.EXECUTION}_{match[1]}", match[2]


def telling_id(event_id: str, trigger_id: str) -> str:
    """Return the id of the firing by which a trigger is told of a platform event, once."""
    digest = hashlib.sha256(f"{event_id}/{trigger_id}".encode()).digest()
    return f"{Kind.FIRING}_{_base32(int.from_bytes(digest[:16]))}"


def idempotency_key(execution_id: str, path: str) -> str:
    """Return the key that every attempt at a step sends with its side effect (26 characters)."""
    digest = hashlib.sha256(f"{execution_id}/{path}".encode()).digest()
    return _base32(int.from_bytes(digest[:16]))


def new_secret(byte_count: int = 32) -> str:
    """Return fresh URL-safe random text of `byte_count` bytes of entropy."""
    return secrets.token_urlsafe(byte_count)


def new_reference() -> str:
    """Return a short random reference that ties an answer to a log line."""
    return secrets.token_hex(6)


def _base32(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])


def random_fraction() -> float:
    """Return a random number from 0 to 1, for jitter."""
    return secrets.randbelow(1_000_000) / 1_000_000
