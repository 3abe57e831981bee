"""Proves that receivers who follow Standard Webhooks accept what is signed, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from promptpilot.engine.signing import new_signing_secret, preview, signed_headers


def signed(secrets: list[str], message_id: str, body: bytes) -> dict[str, str]:
    """Sign as of now: receivers compare the timestamp with their own clock."""
    return dict(signed_headers(secrets, message_id, datetime.now(UTC), body))


@given(body=st.text(), message_id=st.text("abcdef0123456789", min_size=1))
def test_the_reference_receiver_accepts_every_body(body: str, message_id: str) -> None:
    secret = new_signing_secret()

    headers = signed([secret], message_id, body.encode())

    Webhook(secret).verify(body, headers, json_parse=False)


def test_every_secret_proves_the_request() -> None:
    old, new = new_signing_secret(), new_signing_secret()

    headers = signed([new, old], "id", b"{}")

    assert Webhook(old).verify(b"{}", headers) == Webhook(new).verify(b"{}", headers) == {}


def a_second_later(headers: dict[str, str]) -> dict[str, str]:
    """Change the time of a request."""
    return {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (b"[]", dict),
        (b"{}", lambda headers: {**headers, "webhook-id": "other"}),
        (b"{}", a_second_later),
    ],
    ids=["body", "id", "time"],
)
def test_whatever_is_changed_is_refused(
    body: bytes, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    secret = new_signing_secret()
    headers = signed([secret], "id", b"{}")

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, change(headers))


def test_a_secret_is_32_random_bytes() -> None:
    first, second = new_signing_secret(), new_signing_secret()

    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


def test_a_preview_tells_six_characters() -> None:
    assert preview("whsec_abcdefghijkl") == "whsec_abc…jkl"
