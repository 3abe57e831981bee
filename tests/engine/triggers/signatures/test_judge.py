"""Proves for all schemes that only who holds the secret is believed, and that no call raises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import FailureCode, Verdict, WebhookScheme
from promptpilot.errors import InvalidInput
from tests.support.calls import (
    BODY,
    NOW,
    SCHEMES,
    SIGNATURE_HEADERS,
    TOLERANCE,
    UNSIGNED_HEADERS,
    judge_call,
    secret_of,
    sign_call,
)

SIGNING = [scheme for scheme in SCHEMES if scheme is not WebhookScheme.SHARED_SECRET]
TIMED = [WebhookScheme.STANDARD, WebhookScheme.STRIPE, WebhookScheme.SLACK]
TIMED.append(WebhookScheme.HMAC_SHA256)
SPOILERS: dict[str, Callable[[str], str]] = {
    "empty": lambda value: "",
    "blank": lambda value: "  ",
    "cut at the end": lambda value: value[:-1],
    "cut at the start": lambda value: value[1:],
    "longer": lambda value: f"{value}0",
    "sent twice": lambda value: f"{value}, {value}",
    "in upper case": str.upper,
    "with a last line": lambda value: f"{value}\n",
    "in full-width digits": lambda value: value.translate(
        {ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)}
    ),
    "with latin letters": lambda value: f"\xe9{value}",
    "with half a surrogate": lambda value: f"{value}\ud800",
    "with a NUL": lambda value: f"{value}\x00",
}
#: A list of signatures: one that is right is enough, and blanks part them.
LISTS = {("webhook-signature", "sent twice")}
schemes = st.sampled_from(SCHEMES)
names = st.sampled_from(sorted({name for each in SCHEMES for name in sign_call(each)}))
secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=24, max_size=64)


def flipped(data: bytes, bit: int) -> bytes:
    position = bit % (len(data) * 8)
    number = int.from_bytes(data) ^ (1 << position)
    return number.to_bytes(len(data))


def spoilt_headers() -> list[tuple[WebhookScheme, str, str]]:
    """Return each way of spoiling each header that a signature covers, where it changes it."""
    return [
        (scheme, name, way)
        for scheme in SCHEMES
        for name, value in sign_call(scheme).items()
        for way, spoil in SPOILERS.items()
        if name not in UNSIGNED_HEADERS and (name, way) not in LISTS and spoil(value) != value
    ]


@given(schemes, secrets, st.binary(max_size=200))
def test_what_is_signed_is_verified(scheme: WebhookScheme, secret: str, body: bytes) -> None:
    headers = signatures.sign(scheme, secret.encode(), body, "m", NOW)

    verdict = signatures.verify(scheme, [secret.encode()], headers, body, NOW, TOLERANCE)

    assert verdict.is_verified
    assert verdict.message_id in {"m", None}


@given(st.sampled_from(SIGNING), st.binary(min_size=1, max_size=200), st.integers(min_value=0))
def test_a_body_with_one_changed_bit_is_refused(
    scheme: WebhookScheme, body: bytes, bit: int
) -> None:
    headers = sign_call(scheme, body)

    verdict = judge_call(scheme, headers, flipped(body, bit))

    assert verdict == Verdict(is_verified=False, failure_code=FailureCode.SIGNATURE_MISMATCH)


@pytest.mark.parametrize("scheme", SIGNING)
@pytest.mark.parametrize("body", [b"", BODY[:-1], BODY + b" ", b"\xef\xbb\xbf" + BODY])
def test_another_body_is_refused(scheme: WebhookScheme, body: bytes) -> None:
    verdict = judge_call(scheme, sign_call(scheme), body)

    assert verdict.failure_code is FailureCode.SIGNATURE_MISMATCH


@given(schemes, secrets, st.integers(min_value=0))
def test_a_secret_with_one_changed_bit_is_refused(
    scheme: WebhookScheme, secret: str, bit: int
) -> None:
    key = secret.encode()
    headers = signatures.sign(scheme, key, BODY, "m", NOW)

    verdict = signatures.verify(scheme, [flipped(key, bit)], headers, BODY, NOW, TOLERANCE)

    assert verdict.failure_code is FailureCode.SIGNATURE_MISMATCH


@given(schemes, st.integers(min_value=0))
def test_a_signature_with_one_changed_bit_is_refused(scheme: WebhookScheme, bit: int) -> None:
    headers = sign_call(scheme)
    name = SIGNATURE_HEADERS[scheme]
    headers[name] = flipped(headers[name].encode(), bit).decode("latin-1")

    verdict = judge_call(scheme, headers)

    assert not verdict.is_verified
    assert (verdict.message_id, verdict.timestamp) == (None, None)


@pytest.mark.parametrize(("scheme", "name", "way"), spoilt_headers())
def test_a_spoilt_header_is_refused(scheme: WebhookScheme, name: str, way: str) -> None:
    headers = sign_call(scheme)
    headers[name] = SPOILERS[way](headers[name])

    verdict = judge_call(scheme, headers)

    assert not verdict.is_verified
    assert verdict.failure_code is not None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_header_may_be_missing_but_an_id_that_is_not_needed(scheme: WebhookScheme) -> None:
    headers = sign_call(scheme)

    for name in headers.keys() - {"x-message-id"}:
        rest = {each: value for each, value in headers.items() if each != name}
        code = judge_call(scheme, rest).failure_code
        assert code is not None
        assert code.endswith("_MISSING")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_headers_of_another_scheme_prove_nothing(scheme: WebhookScheme) -> None:
    for other in set(SCHEMES) - {scheme}:
        verdict = judge_call(scheme, sign_call(other))

        assert verdict.failure_code is FailureCode.SIGNATURE_MISSING


@given(schemes, st.dictionaries(names, st.text(max_size=80)), st.binary())
def test_no_header_makes_it_raise_or_pass(
    scheme: WebhookScheme, headers: dict[str, str], body: bytes
) -> None:
    verdict = judge_call(scheme, headers, body)

    assert not verdict.is_verified
    assert verdict.failure_code is not None


@given(schemes, names, st.binary(max_size=80))
def test_no_bytes_in_one_header_of_a_signed_call_make_it_raise(
    scheme: WebhookScheme, name: str, garbage: bytes
) -> None:
    headers = sign_call(scheme) | {name: garbage.decode("latin-1")}

    verdict = judge_call(scheme, headers)

    assert verdict.is_verified is (verdict.failure_code is None)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_previous_secret_is_accepted_and_reported(scheme: WebhookScheme) -> None:
    live = [secret_of(scheme, 1), secret_of(scheme, 2)]

    current = signatures.verify(scheme, live, sign_call(scheme, number=1), BODY, NOW, TOLERANCE)
    previous = signatures.verify(scheme, live, sign_call(scheme, number=2), BODY, NOW, TOLERANCE)

    assert (current.is_verified, current.used_previous_secret) == (True, False)
    assert (previous.is_verified, previous.used_previous_secret) == (True, True)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_signature_of_another_secret_is_refused(scheme: WebhookScheme) -> None:
    verdict = judge_call(scheme, sign_call(scheme, number=1))

    assert verdict.failure_code is FailureCode.SIGNATURE_MISMATCH


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_a_secret_nothing_is_verified(scheme: WebhookScheme) -> None:
    verdict = signatures.verify(scheme, [], sign_call(scheme), BODY, NOW, TOLERANCE)

    assert verdict.failure_code is FailureCode.SIGNATURE_MISMATCH


@pytest.mark.parametrize("scheme", TIMED)
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
    scheme: WebhookScheme, age_seconds: int, expected: FailureCode | None
) -> None:
    headers = sign_call(scheme, at=NOW - timedelta(seconds=age_seconds))

    verdict = judge_call(scheme, headers)

    assert verdict.failure_code == expected


@pytest.mark.parametrize("scheme", TIMED)
def test_a_timestamp_that_is_signed_is_told(scheme: WebhookScheme) -> None:
    verdict = judge_call(scheme, sign_call(scheme))

    assert verdict.timestamp == NOW.timestamp()


@pytest.mark.parametrize("message_id", ["", "two words", "a.1788264000"])
def test_an_id_that_could_not_be_read_back_is_not_signed(message_id: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        signatures.sign(WebhookScheme.STANDARD, secret_of(SCHEMES[0]), BODY, message_id, NOW)

    assert caught.value.path == ("messageId",)


def test_the_scheme_of_api_triggers_is_not_one_of_webhooks() -> None:
    with pytest.raises(InvalidInput, match="API_KEY; use one of STANDARD"):
        signatures.verify(WebhookScheme.API_KEY, [b"key"], {}, BODY, NOW, TOLERANCE)

    assert not signatures.is_supported(WebhookScheme.API_KEY)


def test_all_other_schemes_are_supported() -> None:
    supported = {scheme for scheme in WebhookScheme if signatures.is_supported(scheme)}

    assert supported == set(WebhookScheme) - {WebhookScheme.API_KEY}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("payload", [None, [], "text", 1, {}, {"id": 1}, {"event_id": ["x"]}])
def test_a_payload_without_an_id_has_none(scheme: WebhookScheme, payload: object) -> None:
    assert signatures.message_id_in(scheme, payload) is None
    assert signatures.challenge_in(scheme, payload) is None


def test_forms_are_read_of_github_and_slack_alone() -> None:
    reading = {scheme for scheme in SCHEMES if signatures.reads_forms(scheme)}

    assert reading == {WebhookScheme.GITHUB, WebhookScheme.SLACK}
