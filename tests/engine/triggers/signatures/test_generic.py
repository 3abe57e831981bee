"""Proves what HMAC_SHA256 and SHARED_SECRET believe, for senders without a scheme of their own."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import FailureCode, WebhookScheme
from promptpilot.errors import InvalidInput
from tests.support.calls import BODY, NOW, judge_call, secret_of, sign_call

HMAC = WebhookScheme.HMAC_SHA256
SHARED = WebhookScheme.SHARED_SECRET
SECONDS = str(int(NOW.timestamp()))


@pytest.mark.parametrize("body", [b"", BODY, b"\xff\x00not text", "Grüße 🌍".encode()])
def test_the_hex_of_time_and_body_is_verified(body: bytes) -> None:
    content = SECONDS.encode() + b"." + body
    signature = hmac.new(secret_of(HMAC).encode(), content, hashlib.sha256).hexdigest()

    verdict = judge_call(HMAC, {"x-signature": signature, "x-timestamp": SECONDS}, body)

    assert verdict.is_verified


def test_an_id_that_the_signature_does_not_cover_is_not_believed() -> None:
    headers = sign_call(HMAC) | {"x-message-id": "another"}

    verdict = judge_call(HMAC, headers)

    assert (verdict.is_verified, verdict.message_id) == (True, None)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-signature", "", FailureCode.SIGNATURE_MISSING),
        ("x-signature", "sha256=" + "0" * 64, FailureCode.SIGNATURE_MALFORMED),
        ("x-signature", "A" * 64, FailureCode.SIGNATURE_MALFORMED),
        ("x-signature", "é" * 64, FailureCode.SIGNATURE_MALFORMED),
        ("x-signature", "0" * 64, FailureCode.SIGNATURE_MISMATCH),
        ("x-timestamp", "", FailureCode.TIMESTAMP_MISSING),
        ("x-timestamp", f"{SECONDS}000", FailureCode.TIMESTAMP_MALFORMED),
        ("x-timestamp", "2026-09-01T12:00:00Z", FailureCode.TIMESTAMP_MALFORMED),
        ("x-timestamp", str(int(SECONDS) - 1), FailureCode.SIGNATURE_MISMATCH),
    ],
)
def test_a_spoilt_header_is_refused_with_its_reason(
    name: str, value: str, expected: FailureCode
) -> None:
    headers = sign_call(HMAC) | {name: value}

    verdict = judge_call(HMAC, headers)

    assert verdict.failure_code is expected


def test_the_secret_in_its_header_is_enough() -> None:
    verdict = judge_call(SHARED, {"x-webhook-secret": secret_of(SHARED)}, b"anything")

    assert (verdict.is_verified, verdict.message_id, verdict.timestamp) == (True, None, None)


def test_who_has_the_secret_names_the_message() -> None:
    headers = {"x-webhook-secret": secret_of(SHARED), "x-message-id": "m-7"}

    assert judge_call(SHARED, headers).message_id == "m-7"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-webhook-secret", "", FailureCode.SIGNATURE_MISSING),
        ("x-webhook-secret", "two words", FailureCode.SIGNATURE_MALFORMED),
        ("x-webhook-secret", "\xe9" * 32, FailureCode.SIGNATURE_MALFORMED),
        ("x-webhook-secret", "a" * 257, FailureCode.SIGNATURE_MALFORMED),
        ("x-webhook-secret", "0123456789abcdef", FailureCode.SIGNATURE_MISMATCH),
        ("x-message-id", "", FailureCode.MESSAGE_ID_MISSING),
        ("x-message-id", "two words", FailureCode.MESSAGE_ID_MALFORMED),
    ],
)
def test_a_wrong_secret_or_id_is_refused_with_its_reason(
    name: str, value: str, expected: FailureCode
) -> None:
    headers = sign_call(SHARED) | {name: value}

    verdict = judge_call(SHARED, headers)

    assert verdict.failure_code is expected


@pytest.mark.parametrize("secret", ["with spaces in between", "schlüsselschlüssel"])
def test_a_secret_that_no_header_can_hold_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput, match="visible ASCII"):
        signatures.check_secret(SHARED, secret)
