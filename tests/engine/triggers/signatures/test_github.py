"""Proves that GITHUB is what GitHub sends, by its documented example and its own library."""

from __future__ import annotations

import pytest

from promptpilot.engine.triggers.signatures import FailureCode, WebhookScheme
from tests.support.calls import judge_call, sign_call

GITHUB = WebhookScheme.GITHUB
#: Secret, body and digest: the example of GitHub's documentation, then what version 6.0.0 of
#: `@octokit/webhooks-methods` signed.
VECTORS = [
    (
        "It's a Secret to Everybody",
        "Hello, World!",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    ),
    (
        "0123456789abcdef0123456789abcdef",
        '{"action":"opened","issue":{"title":"It crashes"}}',
        "8d7add19cd611a897094e65f926b044d172f0927aa142e947f18680498d47e4d",
    ),
    (
        "ключ из шестнадцати букв",
        '{"title":"Grüße, 世界 🌍"}',
        "a8f40595993c35d5d9cd08966a5414196403aa12fed771f1cc108c49df1c846d",
    ),
    (
        "0123456789abcdef",
        "payload=%7B%22action%22%3A%22opened%22%7D",
        "dfcbe315cc22e3977662508ce39703d298fa1dcfb520052cf83be76a8bbcf4a8",
    ),
    (
        "a" * 256,
        " \n{}\r\n",
        "9231c91472d65fbbf3525c9bde0b13f9bc7e248a5868a017ff56f29c6a5248f7",
    ),
]


@pytest.mark.parametrize(("secret", "body", "digest"), VECTORS)
def test_what_github_signed_is_verified(secret: str, body: str, digest: str) -> None:
    headers = {"x-hub-signature-256": f"sha256={digest}", "x-github-delivery": "72d3162e"}

    verdict = judge_call(GITHUB, headers, body.encode(), secret)

    assert (verdict.is_verified, verdict.message_id) == (True, "72d3162e")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-hub-signature-256", "", FailureCode.SIGNATURE_MISSING),
        ("x-hub-signature-256", "sha1=" + "0" * 40, FailureCode.SIGNATURE_MALFORMED),
        ("x-hub-signature-256", "sha256=" + "é" * 64, FailureCode.SIGNATURE_MALFORMED),
        ("x-hub-signature-256", "0" * 64, FailureCode.SIGNATURE_MALFORMED),
        ("x-hub-signature-256", "sha256=" + "0" * 64, FailureCode.SIGNATURE_MISMATCH),
        ("x-github-delivery", "", FailureCode.MESSAGE_ID_MISSING),
        ("x-github-delivery", "a b", FailureCode.MESSAGE_ID_MALFORMED),
    ],
)
def test_a_spoilt_header_is_refused_with_its_reason(
    name: str, value: str, expected: FailureCode
) -> None:
    headers = sign_call(GITHUB) | {name: value}

    verdict = judge_call(GITHUB, headers)

    assert verdict.failure_code is expected


def test_the_old_header_with_sha1_proves_nothing() -> None:
    headers = sign_call(GITHUB)
    headers["x-hub-signature"] = headers.pop("x-hub-signature-256")

    verdict = judge_call(GITHUB, headers)

    assert verdict.failure_code is FailureCode.SIGNATURE_MISSING


def test_a_ping_is_recognised() -> None:
    headers = sign_call(GITHUB) | {"x-github-event": "ping"}

    verdict = judge_call(GITHUB, headers)

    assert verdict.is_ping


def test_an_event_is_told_of_a_verified_call_only() -> None:
    headers = sign_call(GITHUB, number=1) | {"x-github-event": "ping"}

    verdict = judge_call(GITHUB, headers)

    assert not verdict.is_ping
