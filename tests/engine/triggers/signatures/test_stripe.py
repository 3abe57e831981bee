"""Proves that STRIPE is what Stripe sends, by Stripe's own library."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import FailureCode, WebhookScheme
from tests.support.calls import BODY, NOW, judge_call, secret_of, sign_call

STRIPE = WebhookScheme.STRIPE
SECRET = secret_of(STRIPE)
SECONDS = int(NOW.timestamp())
ZEROS = "0" * 64


def by_stripe(body: str, secret: str = SECRET, seconds: int = SECONDS) -> str:
    """Return the header that Stripe would send."""
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret, seconds)
    return header


@given(st.text(st.characters(codec="utf-8")))
def test_a_call_of_stripe_is_verified(body: str) -> None:
    headers = {"stripe-signature": by_stripe(body)}

    verdict = judge_call(STRIPE, headers, body.encode())

    assert (verdict.is_verified, verdict.timestamp) == (True, SECONDS)


def test_the_secret_is_used_as_it_stands() -> None:
    secret = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"
    headers = {"stripe-signature": by_stripe("{}", secret)}

    verdict = judge_call(STRIPE, headers, b"{}", secret)

    assert verdict.is_verified


def test_the_library_of_stripe_accepts_what_we_sign() -> None:
    headers = sign_call(STRIPE, at=datetime.now(UTC))

    assert stripe.WebhookSignature.verify_header(
        BODY.decode(), headers["stripe-signature"], SECRET, 300
    )


@pytest.mark.parametrize("order", [0, 1])
def test_one_right_signature_of_several_is_enough(order: int) -> None:
    right = by_stripe(BODY.decode()).split("v1=")[1]
    found = [right, ZEROS] if order else [ZEROS, right]
    header = f"t={SECONDS},v1={found[0]},v1={found[1]},v0={ZEROS}"

    verdict = judge_call(STRIPE, {"stripe-signature": header})

    assert verdict.is_verified


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", FailureCode.SIGNATURE_MISSING),
        ("nonsense", FailureCode.SIGNATURE_MALFORMED),
        (f"t={SECONDS}", FailureCode.SIGNATURE_MALFORMED),
        (f"t={SECONDS},v0={ZEROS}", FailureCode.SIGNATURE_MALFORMED),
        (f"t={SECONDS},v1=", FailureCode.SIGNATURE_MALFORMED),
        (f"t={SECONDS},v1={ZEROS[1:]}", FailureCode.SIGNATURE_MALFORMED),
        (f"t={SECONDS}, v1={ZEROS}", FailureCode.SIGNATURE_MALFORMED),
        (f"t={SECONDS},v1={ZEROS},", FailureCode.SIGNATURE_MALFORMED),
        (f"t={SECONDS};v1={ZEROS}", FailureCode.SIGNATURE_MALFORMED),
        (f"v1={ZEROS}", FailureCode.TIMESTAMP_MISSING),
        (f"t=,v1={ZEROS}", FailureCode.TIMESTAMP_MISSING),
        (f"t={SECONDS},t={SECONDS},v1={ZEROS}", FailureCode.TIMESTAMP_MALFORMED),
        (f"t=-1,v1={ZEROS}", FailureCode.TIMESTAMP_MALFORMED),
        (f"t={SECONDS}000,v1={ZEROS}", FailureCode.TIMESTAMP_MALFORMED),
        (f"t={SECONDS - 301},v1={ZEROS}", FailureCode.TIMESTAMP_TOO_OLD),
        (f"t={SECONDS + 301},v1={ZEROS}", FailureCode.TIMESTAMP_TOO_NEW),
        (f"t={SECONDS},v1={ZEROS}", FailureCode.SIGNATURE_MISMATCH),
    ],
)
def test_a_spoilt_header_is_refused_with_its_reason(header: str, expected: FailureCode) -> None:
    verdict = judge_call(STRIPE, {"stripe-signature": header})

    assert verdict.failure_code is expected


def test_a_signature_is_of_its_time() -> None:
    header = by_stripe(BODY.decode()).replace(f"t={SECONDS}", f"t={SECONDS + 1}")

    verdict = judge_call(STRIPE, {"stripe-signature": header})

    assert verdict.failure_code is FailureCode.SIGNATURE_MISMATCH


def test_the_id_is_that_of_the_event() -> None:
    payload = {"id": "evt_1", "object": "event", "data": {"object": {"id": "ch_1"}}}

    assert signatures.message_id_in(STRIPE, payload) == "evt_1"


@pytest.mark.parametrize("id", [None, 7, "", "a b", "a" * 256, "\xe9", ["evt_1"]])
def test_what_cannot_be_an_id_is_none(id: object) -> None:
    assert signatures.message_id_in(STRIPE, {"id": id}) is None
