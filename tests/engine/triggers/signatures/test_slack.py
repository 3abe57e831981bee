"""Proves that SLACK is what Slack sends, by its documented example and its own library."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import FailureCode, WebhookScheme
from promptpilot.errors import InvalidInput
from tests.support.calls import BODY, NOW, TOLERANCE, judge_call, secret_of, sign_call

SLACK = WebhookScheme.SLACK
SECRET = secret_of(SLACK)
SECONDS = str(int(NOW.timestamp()))
#: The example of Slack's documentation: a slash command.
DOCUMENTED_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
DOCUMENTED_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F"
    b"commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
DOCUMENTED_HEADERS = {
    "x-slack-request-timestamp": "1531420618",
    "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
}


def test_the_example_of_the_documentation_is_verified() -> None:
    then = datetime.fromtimestamp(1531420618, UTC)

    verdict = signatures.verify(
        SLACK, [DOCUMENTED_SECRET], DOCUMENTED_HEADERS, DOCUMENTED_BODY, then, TOLERANCE
    )

    assert (verdict.is_verified, verdict.timestamp) == (True, 1531420618)


@given(st.text(st.characters(codec="utf-8")))
def test_a_call_of_slack_is_verified(body: str) -> None:
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=SECONDS, body=body)
    headers = {"x-slack-signature": signature or "", "x-slack-request-timestamp": SECONDS}

    verdict = judge_call(SLACK, headers, body.encode())

    assert verdict.is_verified


def test_the_library_of_slack_accepts_what_we_sign() -> None:
    headers = sign_call(SLACK, at=datetime.now(UTC))

    assert SignatureVerifier(SECRET).is_valid_request(BODY, headers)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-slack-signature", "", FailureCode.SIGNATURE_MISSING),
        ("x-slack-signature", "0" * 64, FailureCode.SIGNATURE_MALFORMED),
        ("x-slack-signature", "v1=" + "0" * 64, FailureCode.SIGNATURE_MALFORMED),
        ("x-slack-signature", "v0=" + "0" * 63, FailureCode.SIGNATURE_MALFORMED),
        ("x-slack-signature", "v0=" + "0" * 64, FailureCode.SIGNATURE_MISMATCH),
        ("x-slack-request-timestamp", "", FailureCode.TIMESTAMP_MISSING),
        ("x-slack-request-timestamp", "now", FailureCode.TIMESTAMP_MALFORMED),
        ("x-slack-request-timestamp", f"{SECONDS}.5", FailureCode.TIMESTAMP_MALFORMED),
        ("x-slack-request-timestamp", str(int(SECONDS) + 1), FailureCode.SIGNATURE_MISMATCH),
        ("x-slack-request-timestamp", "0", FailureCode.TIMESTAMP_TOO_OLD),
    ],
)
def test_a_spoilt_header_is_refused_with_its_reason(
    name: str, value: str, expected: FailureCode
) -> None:
    headers = sign_call(SLACK) | {name: value}

    verdict = judge_call(SLACK, headers)

    assert verdict.failure_code is expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"type": "event_callback", "event_id": "Ev08MFMKH6"}, "Ev08MFMKH6"),
        (
            {"command": "/deploy", "trigger_id": "13345224609.738474920.8088"},
            "13345224609.738474920.8088",
        ),
        ({"event_id": "Ev1", "trigger_id": "1.2.3"}, "Ev1"),
        ({"event_id": 5, "trigger_id": ""}, None),
    ],
)
def test_the_id_is_that_of_the_event_or_the_interaction(
    payload: dict[str, object], expected: str | None
) -> None:
    assert signatures.message_id_in(SLACK, payload) == expected


def test_a_challenge_is_found() -> None:
    payload = {"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRN", "token": "x"}

    assert signatures.challenge_in(SLACK, payload) == "3eZbrw1aBm2rZgRN"


@pytest.mark.parametrize("payload", [{"type": "event_callback", "challenge": "x"}, ["challenge"]])
def test_what_does_not_ask_has_no_challenge(payload: object) -> None:
    assert signatures.challenge_in(SLACK, payload) is None


@pytest.mark.parametrize("challenge", [None, 5, {"a": 1}])
def test_a_challenge_that_is_no_text_is_refused(challenge: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        signatures.challenge_in(SLACK, {"type": "url_verification", "challenge": challenge})

    assert refused.value.path == ("payload", "challenge")
