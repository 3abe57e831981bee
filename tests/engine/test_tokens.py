"""Proves that a session token is accepted only when we issued it, for us, and not too long ago."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from promptpilot import ids
from promptpilot.engine import tokens
from promptpilot.engine.tokens import SessionTokens
from promptpilot.errors import Misconfigured, Unauthenticated

SECRET = bytes(range(32))
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
USER = ids.new_id(ids.Kind.USER)
SESSIONS = SessionTokens(SECRET, issuer="promptpilot", audience="api")
GOOD: dict[str, Any] = {
    "sub": USER,
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
    "iss": "promptpilot",
    "aud": "api",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def forged(payload: bytes, header: dict[str, Any]) -> str:
    """Sign anything at all with the right secret."""
    key = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (_json(header), payload)]
    content = b".".join(parts)
    signature = base64.urlsafe_b64encode(key.sign(content, SECRET)).rstrip(b"=")
    return (content + b"." + signature).decode()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def signed(changes: dict[str, Any], algorithm: str = "HS256") -> str:
    claims = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return forged(_json(claims), {"alg": algorithm, "typ": "JWT"})


def test_a_token_tells_whom_it_was_issued_to() -> None:
    token, expires_at = SESSIONS.issue(USER, NOW)

    claims = SESSIONS.read(token, NOW)

    assert claims == tokens.Claims(USER, None, NOW, expires_at)
    assert expires_at == NOW + timedelta(minutes=15)


def test_a_token_is_read_until_the_instant_it_expires() -> None:
    token, expires_at = SESSIONS.issue(USER, NOW)

    assert SESSIONS.read(token, expires_at - timedelta(microseconds=1)).user_id == USER
    with pytest.raises(Unauthenticated, match="has expired"):
        SESSIONS.read(token, expires_at)


def test_what_the_tests_forge_is_read_when_nothing_is_wrong_with_it() -> None:
    assert SESSIONS.read(signed({}), NOW).user_id == USER


@pytest.mark.parametrize("missing", ["sub", "iat", "exp", "iss", "aud"])
def test_a_token_without_a_claim_is_refused(missing: str) -> None:
    with pytest.raises(Unauthenticated):
        SESSIONS.read(signed({missing: None}), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "other"},
        {"aud": ["api", "other"]},
        {"iss": "other"},
        {"sub": "not-an-id"},
        {"sub": ids.new_id(ids.Kind.WORKFLOW)},
        {"sub": 7},
        {"iat": GOOD["iat"] + 60, "exp": GOOD["exp"] + 60},
        {"iat": "1788264000"},
        {"iat": True},
        {"exp": GOOD["exp"] + 1},
        {"exp": 1e300},
        {"exp": 10**400},
        {"exp": float("nan")},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        SESSIONS.read(signed(changes), NOW)


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS384", "HS512", "RS256", "ES256"])
def test_another_algorithm_is_refused(algorithm: str) -> None:
    with pytest.raises(Unauthenticated):
        SESSIONS.read(signed({}, algorithm), NOW)


def test_an_unsigned_token_is_refused() -> None:
    unsigned = jwt.encode(GOOD, "", algorithm="none")

    with pytest.raises(Unauthenticated):
        SESSIONS.read(unsigned, NOW)


def test_a_token_of_another_secret_is_refused() -> None:
    token, _ = SessionTokens(bytes(32), "promptpilot", "api").issue(USER, NOW)

    with pytest.raises(Unauthenticated):
        SESSIONS.read(token, NOW)


@given(st.text())
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        SESSIONS.read(text, NOW)


@given(json_values, st.dictionaries(st.sampled_from(["alg", "typ", "crit", "b64"]), json_values))
def test_garbage_is_refused_even_with_the_right_signature(
    payload: object, header: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        SESSIONS.read(forged(_json(payload), {"alg": "HS256"} | header), NOW)


@pytest.mark.parametrize("payload", [b"[" * 1200, b"\xff", b"", b"{}" * 2000, b'"\\ud800"'])
def test_json_made_to_hurt_is_refused(payload: bytes) -> None:
    with pytest.raises(Unauthenticated):
        SESSIONS.read(forged(payload, {"alg": "HS256"}), NOW)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=127))
def test_a_token_with_a_changed_character_is_refused(position: int, change: int) -> None:
    token, _ = SESSIONS.issue(USER, NOW)
    place = position % (len(token) - 1)  # the last one has bits that mean nothing
    changed = token[:place] + chr(ord(token[place]) ^ change) + token[place + 1 :]

    with pytest.raises(Unauthenticated):
        SESSIONS.read(changed, NOW)


def test_every_fault_of_the_configuration_is_told() -> None:
    with pytest.raises(Misconfigured) as caught:
        SessionTokens(b"short", "promptpilot", "api", timedelta(minutes=16))

    assert len(caught.value.faults) == 2


def test_the_secret_is_not_shown() -> None:
    assert "secret" not in repr(SESSIONS)


def test_a_fresh_access_token_has_the_documented_form() -> None:
    token = tokens.new_access_token()

    assert tokens.looks_like_access_token(token.text)
    assert len(token.text) == 55
    assert token.preview == token.text[:11]
    assert token.sha256 == hashlib.sha256(token.text.encode()).hexdigest()
    assert token.text not in repr(token)


def test_fresh_access_tokens_differ() -> None:
    texts = {tokens.new_access_token().text for _ in range(100)}

    assert len(texts) == 100


@given(st.text())
def test_a_random_text_does_not_look_like_an_access_token(text: str) -> None:
    assert not tokens.looks_like_access_token(text)
    assert len(tokens.hash_access_token(text)) == 64


@pytest.mark.parametrize("change", [" ", "\n", "="])
def test_an_access_token_with_something_added_does_not_look_like_one(change: str) -> None:
    text = tokens.new_access_token().text

    assert not tokens.looks_like_access_token(text + change)
    assert not tokens.looks_like_access_token(change + text)


def test_an_ed25519_key_signs_with_eddsa_alone() -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    sessions = SessionTokens(pem, issuer="promptpilot", audience="api")

    token, _ = sessions.issue(USER, NOW)

    assert jwt.get_unverified_header(token)["alg"] == "EdDSA"
    assert sessions.read(token, NOW).user_id == USER
    with pytest.raises(Unauthenticated):
        sessions.read(SESSIONS.issue(USER, NOW)[0], NOW)


@pytest.mark.parametrize("pem", [b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"])
def test_a_pem_text_that_is_no_ed25519_key_is_refused(pem: bytes) -> None:
    with pytest.raises(Misconfigured):
        SessionTokens(pem, issuer="promptpilot", audience="api")
