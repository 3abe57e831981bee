"""Signs what WEBHOOK steps send, in the way of Standard Webhooks; pure.

A signature is the base64 of HMAC-SHA256 over `id.timestamp.body`. Source: the specification of
Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from promptpilot import ids

_PREFIX: Final = "whsec_"
_SHOWN: Final = 3
_PADDING: Final = "=="


def new_signing_secret() -> str:
    """Return the text of a fresh secret of 32 random bytes."""
    key = base64.urlsafe_b64decode(ids.new_secret(32) + _PADDING)
    return _PREFIX + base64.b64encode(key).decode()


def preview(secret: str) -> str:
    """Return the start and the end of a signing secret, to recognise it by."""
    return f"{secret[: len(_PREFIX) + _SHOWN]}…{secret[-_SHOWN:]}"


def signed_headers(
    secrets: Sequence[str], message_id: str, now: datetime, body: bytes
) -> list[tuple[str, str]]:
    """Return the headers that prove `body` to whoever knows one of `secrets`.

    Each secret adds a signature, in order, so that receivers may change to a new one at leisure.
    """
    timestamp = int(now.timestamp())
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [f"v1,{_signature(_key(secret), content)}" for secret in secrets]
    return [
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(signatures)),
    ]


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX) + _PADDING)


def _signature(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
