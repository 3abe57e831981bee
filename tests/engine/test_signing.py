"""Proves that receivers who follow Standard Webhooks accept what is signed, and nothing else."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from promptpilot.engine.signing import new_signing_secret, preview, signed_headers

#: Receivers compare the timestamp with their own clock.
NOW = datetime.now(UTC)


@given(body=st.text(), message_id=st.text("abcdef0123456789", min_size=1))
def test_the_reference_receiver_accepts_every_body(body: str, message_id: str) -> None:
    secret = new_signing_secret()

    headers = dict(signed_headers([secret], message_id, NOW, body.encode()))

    Webhook(secret).verify(body, headers, json_parse=False)


def test_every_secret_proves_the_request() -> None:
    old, new = new_signing_secret(), new_signing_secret()

    headers = dict(signed_headers([new, old], "id", NOW, b"{}"))

    assert Webhook(old).verify(b"{}", headers) == Webhook(new).verify(b"{}", headers) == {}


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (b"[]", {}),
        (b"{}", {"webhook-id": "other"}),
        (b"{}", {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}),
    ],
)
def test_whatever_is_changed_is_refused(body: bytes, changed: dict[str, str]) -> None:
    secret = new_signing_secret()
    headers = dict(signed_headers([secret], "id", NOW, b"{}"))

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, {**headers, **changed})


def test_a_secret_is_32_random_bytes() -> None:
    first, second = new_signing_secret(), new_signing_secret()

    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


def test_a_preview_tells_six_characters() -> None:
    assert preview("whsec_abcdefghijkl") == "whsec_abc…jkl"
