"""Proves what may be a secret of each scheme, and what is shown of one."""

from __future__ import annotations

import pytest

from promptpilot.engine.triggers import signatures
from promptpilot.engine.triggers.signatures import WebhookScheme
from promptpilot.errors import InvalidInput
from tests.support.calls import BODY, NOW, SCHEMES, judge_call


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_fresh_secret_is_acceptable_and_signs(scheme: WebhookScheme) -> None:
    secret = signatures.new_secret(scheme)

    signatures.check_secret(scheme, secret)
    headers = signatures.sign(scheme, secret, BODY, "msg_1", NOW)

    assert judge_call(scheme, headers, secret=secret).is_verified


@pytest.mark.parametrize("scheme", SCHEMES)
def test_fresh_secrets_differ(scheme: WebhookScheme) -> None:
    made = {signatures.new_secret(scheme) for _ in range(100)}

    assert len(made) == 100


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "secret", ["", "short", "a" * 257, "with a \x00 inside it", "lone surrogate \ud800"]
)
def test_what_cannot_be_a_secret_is_refused(scheme: WebhookScheme, secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        signatures.check_secret(scheme, secret)

    assert caught.value.path == ("secret",)
    assert not secret or secret not in caught.value.message


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_empty_key_is_never_used(scheme: WebhookScheme) -> None:
    with pytest.raises(InvalidInput, match="must not be empty"):
        signatures.sign(scheme, b"", BODY, "msg_1", NOW)


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
