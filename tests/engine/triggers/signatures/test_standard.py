"""Proves that STANDARD is what Standard Webhooks and Svix send, by their own libraries."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook
from svix.webhooks import WebhookVerificationError

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import FailureCode, WebhookScheme
from promptpilot.errors import InvalidInput
from tests.support.calls import BODY, NOW, judge_call, secret_of, sign_call

STANDARD = WebhookScheme.STANDARD
SECRET = secret_of(STANDARD)
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="."))


@given(ids.filter(bool), st.text(st.characters(codec="utf-8")))
def test_the_reference_library_signs_as_we_do(message_id: str, text: str) -> None:
    body = json.dumps(text).encode()

    ours = signatures.sign(STANDARD, SECRET, body, message_id, NOW)

    assert ours["webhook-signature"] == Webhook(SECRET).sign(message_id, NOW, body.decode())


def test_the_reference_library_accepts_what_we_sign() -> None:
    headers = sign_call(STANDARD, at=datetime.now(UTC))

    assert Webhook(SECRET).verify(BODY, headers) == {"action": "opened"}


@given(ids.filter(bool), st.text(st.characters(codec="utf-8")))
def test_a_call_of_svix_is_verified(message_id: str, text: str) -> None:
    headers = {
        "svix-id": message_id,
        "svix-timestamp": str(int(NOW.timestamp())),
        "svix-signature": SvixWebhook(SECRET).sign(message_id, NOW, text),
    }

    verdict = judge_call(STANDARD, headers, text.encode())

    assert (verdict.is_verified, verdict.message_id) == (True, message_id)


def test_the_library_of_svix_accepts_what_we_sign() -> None:
    headers = sign_call(STANDARD, at=datetime.now(UTC))
    svix = {name.replace("webhook-", "svix-"): value for name, value in headers.items()}

    SvixWebhook(SECRET).verify(BODY, svix)
    with pytest.raises(WebhookVerificationError):
        SvixWebhook(SECRET).verify(BODY + b" ", svix)


def test_headers_of_both_kinds_are_not_mixed() -> None:
    headers = sign_call(STANDARD)
    headers["svix-signature"] = headers.pop("webhook-signature")

    verdict = judge_call(STANDARD, headers)

    assert verdict.failure_code is FailureCode.MESSAGE_ID_MISSING


def test_one_right_signature_in_a_list_is_enough() -> None:
    headers = sign_call(STANDARD)
    wrong = sign_call(STANDARD, number=1)["webhook-signature"]
    headers["webhook-signature"] = f"v1a,xyz {wrong} , v1 {headers['webhook-signature']}"

    verdict = judge_call(STANDARD, headers)

    assert verdict.is_verified


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("webhook-signature", "", FailureCode.SIGNATURE_MISSING),
        ("webhook-signature", "  ", FailureCode.SIGNATURE_MISSING),
        ("webhook-signature", "v1,short", FailureCode.SIGNATURE_MALFORMED),
        ("webhook-signature", "v1a," + "A" * 43 + "=", FailureCode.SIGNATURE_MALFORMED),
        ("webhook-timestamp", "", FailureCode.TIMESTAMP_MISSING),
        ("webhook-timestamp", "+1788264000", FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "01788264000", FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "1788264000\n", FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "١٧٨٨٢٦٤٠٠٠", FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "9" * 13, FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "9" * 12, FailureCode.TIMESTAMP_TOO_NEW),
        ("webhook-timestamp", "0", FailureCode.TIMESTAMP_TOO_OLD),
        ("webhook-id", "", FailureCode.MESSAGE_ID_MISSING),
        ("webhook-id", "with space", FailureCode.MESSAGE_ID_MALFORMED),
        ("webhook-id", "a\x00", FailureCode.MESSAGE_ID_MALFORMED),
        ("webhook-id", "a" * 256, FailureCode.MESSAGE_ID_MALFORMED),
        ("webhook-id", "msg_2", FailureCode.SIGNATURE_MISMATCH),
    ],
)
def test_a_spoilt_header_is_refused_with_its_reason(
    name: str, value: str, expected: FailureCode
) -> None:
    headers = sign_call(STANDARD) | {name: value}

    verdict = judge_call(STANDARD, headers)

    assert verdict.failure_code is expected


def test_a_call_cannot_be_cut_into_another_id_time_and_body() -> None:
    headers = signatures.sign(STANDARD, SECRET, b"1788264000.{}", "msg", NOW)
    timestamp = headers["webhook-timestamp"]
    recut = headers | {"webhook-id": f"msg.{timestamp}", "webhook-timestamp": "1788264000"}

    verdict = judge_call(STANDARD, recut, b"{}")

    assert verdict.failure_code is FailureCode.MESSAGE_ID_MALFORMED


@pytest.mark.parametrize(
    "secret",
    [
        base64.b64encode(KEY).decode(),
        "whsec_A",
        "whsec_" + base64.b64encode(KEY[:23]).decode(),
        "whsec_" + base64.b64encode(KEY * 3).decode(),
        "whsec_" + "é" * 44,
        "whsec_" + "A" * 42 + "B=",
    ],
)
def test_what_is_no_base64_of_a_key_is_no_secret(secret: str) -> None:
    with pytest.raises(InvalidInput, match="base64 of 24 to 64 bytes"):
        signatures.check_secret(STANDARD, secret)


def test_a_secret_may_lack_its_padding() -> None:
    verdict = judge_call(STANDARD, sign_call(STANDARD), secret=SECRET.rstrip("="))

    assert verdict.is_verified
