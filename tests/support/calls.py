"""Calls as senders of each webhook scheme would make them, signed with known secrets."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Final

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import Verdict, WebhookScheme

NOW: Final = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
TOLERANCE: Final = timedelta(seconds=300)
BODY: Final = b'{"action":"opened"}'
MESSAGE_ID: Final = "msg_1"
SCHEMES: Final = sorted(signatures.SCHEMES)
#: Where the signature stands.
SIGNATURE_HEADERS: Final = {
    WebhookScheme.STANDARD: "webhook-signature",
    WebhookScheme.GITHUB: "x-hub-signature-256",
    WebhookScheme.STRIPE: "stripe-signature",
    WebhookScheme.SLACK: "x-slack-signature",
    WebhookScheme.HMAC_SHA256: "x-signature",
    WebhookScheme.SHARED_SECRET: "x-webhook-secret",
}
#: Headers with the id of a call that no signature covers.
UNSIGNED_HEADERS: Final = {"x-github-delivery", "x-message-id"}


def secret_of(scheme: WebhookScheme, number: int = 0) -> str:
    """Return a secret that senders of the scheme could have; another one for each number."""
    text = f"{number}123456789abcdef0123456789abcdef"
    if scheme is WebhookScheme.STANDARD:
        return f"whsec_{base64.b64encode(text.encode()).decode()}"
    return text


def sign_call(
    scheme: WebhookScheme, body: bytes = BODY, number: int = 0, at: datetime = NOW
) -> dict[str, str]:
    """Return the headers of a call that is signed with the secret of this number."""
    return signatures.sign(scheme, secret_of(scheme, number), body, MESSAGE_ID, at)


def judge_call(
    scheme: WebhookScheme, headers: dict[str, str], body: bytes = BODY, secret: str | None = None
) -> Verdict:
    """Return the verdict on a call for a trigger with the first secret, or the one given."""
    secrets = [secret_of(scheme) if secret is None else secret]
    return signatures.verify(scheme, secrets, headers, body, NOW, TOLERANCE)
