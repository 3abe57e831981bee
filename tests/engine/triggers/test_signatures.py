"""Proves that only who holds the secret gets a call verified, and that no header makes it raise."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import FailureCode, Verdict, WebhookScheme
from promptpilot.errors import InvalidInput

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
TOLERANCE = timedelta(seconds=300)
BODY = b'{"action":"opened"}'
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
SUPPORTED = sorted(signatures.SCHEMES)
HEADER_NAMES = [
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "svix-id",
    "svix-timestamp",
    "svix-signature",
    "x-hub-signature-256",
    "x-github-delivery",
    "x-github-event",
]
SIGNATURE_HEADERS = {
    WebhookScheme.STANDARD: "webhook-signature",
    WebhookScheme.GITHUB: "x-hub-signature-256",
}

schemes = st.sampled_from(SUPPORTED)
visible_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="."))


def signed(
    scheme: WebhookScheme, body: bytes = BODY, key: bytes = KEY, at: datetime = NOW
) -> dict[str, str]:
    return signatures.sign(scheme, key, body, "msg_1", at)


def verdict_on(
    scheme: WebhookScheme, headers: dict[str, str], body: bytes = BODY, key: bytes = KEY
) -> Verdict:
    return signatures.verify(scheme, [key], headers, body, NOW, TOLERANCE)


def flipped(data: bytes, bit: int) -> bytes:
    position = bit % (len(data) * 8)
    number = int.from_bytes(data) ^ (1 << position)
    return number.to_bytes(len(data))


@pytest.mark.parametrize("scheme", SUPPORTED)
def test_a_signed_call_is_verified_and_names_its_message(scheme: WebhookScheme) -> None:
    headers = signed(scheme)

    verdict = verdict_on(scheme, headers)

    assert verdict == Verdict(is_verified=True, message_id="msg_1")


@given(schemes, st.binary(min_size=1, max_size=200), st.integers(min_value=0))
def test_a_body_with_one_changed_bit_is_refused(
    scheme: WebhookScheme, body: bytes, bit: int
) -> None:
    headers = signed(scheme, body)

    verdict = verdict_on(scheme, headers, flipped(body, bit))

    assert verdict == Verdict(is_verified=False, failure_code=FailureCode.SIGNATURE_MISMATCH)


@given(schemes, st.binary(min_size=24, max_size=64), st.integers(min_value=0))
def test_a_secret_with_one_changed_bit_is_refused(
    scheme: WebhookScheme, key: bytes, bit: int
) -> None:
    headers = signed(scheme, key=key)

    verdict = verdict_on(scheme, headers, key=flipped(key, bit))

    assert verdict.failure_code is FailureCode.SIGNATURE_MISMATCH


@given(schemes, st.integers(min_value=0))
def test_a_signature_with_one_changed_bit_is_refused(scheme: WebhookScheme, bit: int) -> None:
    headers = signed(scheme)
    name = SIGNATURE_HEADERS[scheme]
    headers[name] = flipped(headers[name].encode(), bit).decode("latin-1")

    verdict = verdict_on(scheme, headers)

    assert not verdict.is_verified
    assert verdict.message_id is None


@given(schemes, st.dictionaries(st.sampled_from(HEADER_NAMES), st.text(max_size=80)), st.binary())
def test_no_header_makes_it_raise_or_pass(
    scheme: WebhookScheme, headers: dict[str, str], body: bytes
) -> None:
    verdict = verdict_on(scheme, headers, body)

    assert not verdict.is_verified
    assert verdict.failure_code is not None


@given(schemes, st.sampled_from(HEADER_NAMES), st.binary(max_size=80))
def test_no_bytes_in_one_header_of_a_signed_call_make_it_raise(
    scheme: WebhookScheme, name: str, garbage: bytes
) -> None:
    headers = signed(scheme) | {name: garbage.decode("latin-1")}

    verdict = verdict_on(scheme, headers)

    assert verdict.is_verified is (verdict.failure_code is None)


@given(visible_ids.filter(bool), st.text(st.characters(codec="utf-8")))
def test_the_reference_library_signs_as_we_do(message_id: str, text: str) -> None:
    secret = signatures.new_secret(WebhookScheme.STANDARD)
    body = json.dumps(text).encode()

    ours = signatures.sign(WebhookScheme.STANDARD, secret, body, message_id, NOW)

    theirs = Webhook(secret).sign(message_id, NOW, body.decode())
    assert ours["webhook-signature"] == theirs


def test_the_reference_library_accepts_what_we_sign() -> None:
    secret = signatures.new_secret(WebhookScheme.STANDARD)
    now = datetime.now(UTC)

    headers = signatures.sign(WebhookScheme.STANDARD, secret, BODY, "msg_1", now)

    assert Webhook(secret).verify(BODY, headers) == {"action": "opened"}


def test_the_example_of_the_github_documentation_is_verified() -> None:
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": f"sha256={digest}", "x-github-delivery": "72d3162e"}

    verdict = verdict_on(
        WebhookScheme.GITHUB, headers, b"Hello, World!", b"It's a Secret to Everybody"
    )

    assert verdict.is_verified


def test_svix_names_of_the_headers_are_read_too() -> None:
    headers = signed(WebhookScheme.STANDARD)
    svix = {name.replace("webhook-", "svix-"): value for name, value in headers.items()}

    verdict = verdict_on(WebhookScheme.STANDARD, svix)

    assert verdict.is_verified


def test_one_right_signature_in_a_list_is_enough() -> None:
    headers = signed(WebhookScheme.STANDARD)
    wrong = signed(WebhookScheme.STANDARD, key=OTHER_KEY)["webhook-signature"]
    headers["webhook-signature"] = f"v1a,xyz {wrong} , v1 {headers['webhook-signature']}"

    verdict = verdict_on(WebhookScheme.STANDARD, headers)

    assert verdict.is_verified


@pytest.mark.parametrize("scheme", SUPPORTED)
def test_the_previous_secret_is_accepted_and_reported(scheme: WebhookScheme) -> None:
    headers = signed(scheme, key=OTHER_KEY)

    verdict = signatures.verify(scheme, [KEY, OTHER_KEY], headers, BODY, NOW, TOLERANCE)

    assert verdict.is_verified
    assert verdict.used_previous_secret


@pytest.mark.parametrize("scheme", SUPPORTED)
def test_without_a_secret_nothing_is_verified(scheme: WebhookScheme) -> None:
    verdict = signatures.verify(scheme, [], signed(scheme), BODY, NOW, TOLERANCE)

    assert verdict.failure_code is FailureCode.SIGNATURE_MISMATCH


@pytest.mark.parametrize(
    ("age_seconds", "expected"),
    [
        (300, None),
        (-300, None),
        (301, FailureCode.TIMESTAMP_TOO_OLD),
        (-301, FailureCode.TIMESTAMP_TOO_NEW),
    ],
)
def test_a_timestamp_may_be_off_by_the_tolerance(
    age_seconds: int, expected: FailureCode | None
) -> None:
    headers = signed(WebhookScheme.STANDARD, at=NOW - timedelta(seconds=age_seconds))

    verdict = verdict_on(WebhookScheme.STANDARD, headers)

    assert verdict.failure_code == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("webhook-signature", "", FailureCode.SIGNATURE_MISSING),
        ("webhook-signature", "  ", FailureCode.SIGNATURE_MISSING),
        ("webhook-signature", "v1,short", FailureCode.SIGNATURE_MALFORMED),
        ("webhook-signature", "v1a," + "A" * 43 + "=", FailureCode.SIGNATURE_MALFORMED),
        ("webhook-timestamp", "", FailureCode.TIMESTAMP_MISSING),
        ("webhook-timestamp", "+1788264000", FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "1788264000\n", FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "١٧٨٨٢٦٤٠٠٠", FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "9" * 13, FailureCode.TIMESTAMP_MALFORMED),
        ("webhook-timestamp", "9" * 12, FailureCode.TIMESTAMP_TOO_NEW),
        ("webhook-timestamp", "0", FailureCode.TIMESTAMP_TOO_OLD),
        ("webhook-id", "", FailureCode.MESSAGE_ID_MISSING),
        ("webhook-id", "with space", FailureCode.MESSAGE_ID_MALFORMED),
        ("webhook-id", "a\x00", FailureCode.MESSAGE_ID_MALFORMED),
        ("webhook-id", "a" * 256, FailureCode.MESSAGE_ID_MALFORMED),
    ],
)
def test_a_spoilt_standard_header_is_refused_with_its_reason(
    name: str, value: str, expected: FailureCode
) -> None:
    headers = signed(WebhookScheme.STANDARD) | {name: value}

    verdict = verdict_on(WebhookScheme.STANDARD, headers)

    assert verdict.failure_code is expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-hub-signature-256", "", FailureCode.SIGNATURE_MISSING),
        ("x-hub-signature-256", "sha1=" + "0" * 40, FailureCode.SIGNATURE_MALFORMED),
        ("x-hub-signature-256", "sha256=" + "é" * 64, FailureCode.SIGNATURE_MALFORMED),
        ("x-hub-signature-256", "sha256=" + "0" * 64, FailureCode.SIGNATURE_MISMATCH),
        ("x-github-delivery", "", FailureCode.MESSAGE_ID_MISSING),
    ],
)
def test_a_spoilt_github_header_is_refused_with_its_reason(
    name: str, value: str, expected: FailureCode
) -> None:
    headers = signed(WebhookScheme.GITHUB) | {name: value}

    verdict = verdict_on(WebhookScheme.GITHUB, headers)

    assert verdict.failure_code is expected


def test_a_call_cannot_be_cut_into_another_id_time_and_body() -> None:
    headers = signatures.sign(WebhookScheme.STANDARD, KEY, b"1788264000.{}", "msg", NOW)
    timestamp = headers["webhook-timestamp"]
    recut = headers | {"webhook-id": f"msg.{timestamp}", "webhook-timestamp": "1788264000"}

    verdict = verdict_on(WebhookScheme.STANDARD, recut, b"{}")

    assert verdict.failure_code is FailureCode.MESSAGE_ID_MALFORMED


def test_a_github_ping_is_recognised() -> None:
    headers = signed(WebhookScheme.GITHUB) | {"x-github-event": "ping"}

    verdict = verdict_on(WebhookScheme.GITHUB, headers)

    assert verdict.is_ping


def test_an_event_is_told_of_a_verified_call_only() -> None:
    headers = signed(WebhookScheme.GITHUB, key=OTHER_KEY) | {"x-github-event": "ping"}

    verdict = verdict_on(WebhookScheme.GITHUB, headers)

    assert not verdict.is_ping


@pytest.mark.parametrize("scheme", SUPPORTED)
def test_a_fresh_secret_is_acceptable_and_signs(scheme: WebhookScheme) -> None:
    secret = signatures.new_secret(scheme)

    signatures.check_secret(scheme, secret)
    headers = signatures.sign(scheme, secret, BODY, "msg_1", NOW)

    verdict = signatures.verify(scheme, [secret], headers, BODY, NOW, TOLERANCE)
    assert verdict.is_verified


def test_fresh_secrets_differ() -> None:
    secrets = {signatures.new_secret(WebhookScheme.STANDARD) for _ in range(100)}

    assert len(secrets) == 100


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        (WebhookScheme.STANDARD, base64.b64encode(KEY).decode()),
        (WebhookScheme.STANDARD, "whsec_A"),
        (WebhookScheme.STANDARD, "whsec_" + base64.b64encode(KEY[:23]).decode()),
        (WebhookScheme.STANDARD, "whsec_" + base64.b64encode(KEY * 3).decode()),
        (WebhookScheme.STANDARD, "whsec_" + "é" * 44),
        (WebhookScheme.STANDARD, "whsec_" + "A" * 42 + "B="),
        (WebhookScheme.GITHUB, "short"),
        (WebhookScheme.GITHUB, "a" * 257),
        (WebhookScheme.GITHUB, "with a \x00 inside it"),
        (WebhookScheme.GITHUB, "lone surrogate \ud800"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(scheme: WebhookScheme, secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        signatures.check_secret(scheme, secret)

    assert caught.value.path == ("secret",)
    assert secret not in caught.value.message


def test_a_standard_secret_may_lack_its_padding() -> None:
    secret = "whsec_" + base64.b64encode(KEY).decode().rstrip("=")

    headers = signatures.sign(WebhookScheme.STANDARD, secret, BODY, "msg_1", NOW)

    assert verdict_on(WebhookScheme.STANDARD, headers).is_verified


@pytest.mark.parametrize("scheme", SUPPORTED)
def test_an_empty_key_is_never_used(scheme: WebhookScheme) -> None:
    with pytest.raises(InvalidInput, match="must not be empty"):
        signatures.sign(scheme, b"", BODY, "msg_1", NOW)


@pytest.mark.parametrize("message_id", ["", "two words", "a.1788264000"])
def test_an_id_that_could_not_be_read_back_is_not_signed(message_id: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        signatures.sign(WebhookScheme.STANDARD, KEY, BODY, message_id, NOW)

    assert caught.value.path == ("messageId",)


@pytest.mark.parametrize("scheme", sorted(set(WebhookScheme) - set(SUPPORTED)))
def test_a_scheme_without_a_row_is_refused_by_name(scheme: WebhookScheme) -> None:
    with pytest.raises(InvalidInput, match=f"{scheme} is not supported yet; use one of STANDARD"):
        signatures.verify(scheme, [KEY], {}, BODY, NOW, TOLERANCE)

    assert not signatures.is_supported(scheme)


@pytest.mark.parametrize("scheme", SUPPORTED)
def test_a_scheme_with_a_row_is_supported(scheme: WebhookScheme) -> None:
    assert signatures.is_supported(scheme)


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("whsec_abcdefghijklmnopqrstuvwxyz", "whsec_abc…xyz"),
        ("0123456789abcdef", "012…def"),
        ("whsec_abcdef", "…"),
    ],
)
def test_a_preview_shows_the_ends_only(secret: str, expected: str) -> None:
    assert signatures.preview(secret) == expected
