"""Session tokens that must not pass: what somebody without the server's secret can make up."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm
from jwt.utils import base64url_encode

from promptpilot import ids
from tests.rest.conftest import Site

_KEY = b"another secret that is long enough for HS256"
_NOBODY = ids.new_id(ids.Kind.USER)


def claims_of(site: Site, **changes: Any) -> dict[str, Any]:
    """Return what a good session token of the owner says; None leaves out what it stands for."""
    now = int(time.time())
    claims = {
        "sub": site.principal.user_id,
        "iat": now,
        "exp": now + 600,
        "iss": "promptpilot",
        "aud": "promptpilot",
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def _unsigned(claims: dict[str, Any], algorithm: str) -> str:
    parts = ({"alg": algorithm, "typ": "JWT"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in parts]
    return ".".join(each.rstrip("=") for each in texts) + "."


def forgeries(site: Site) -> dict[str, str]:
    """Return tokens that must not pass: signed with the right secret unless that is the forgery."""
    secret = site.backbone.settings.jwt_secret.get_secret_value()
    private = generate_private_key(65537, 2048)
    now, claims = int(time.time()), claims_of(site)

    def signed(**changes: Any) -> str:
        return jwt.encode(claims_of(site, **changes), secret, "HS256")

    return {
        "none": _unsigned(claims, "none"),
        "None": _unsigned(claims, "nOnE"),
        "no signature": _unsigned(claims, "HS256"),
        "another secret": jwt.encode(claims, _KEY, "HS256"),
        "another algorithm": jwt.encode(claims, secret, "HS512"),
        "public keys": jwt.encode(claims, private, "RS256"),
        "wrong kid": jwt.encode(claims, _KEY, "HS256", headers={"kid": "../../etc/passwd"}),
        "expired": signed(iat=now - 1200, exp=now - 600),
        "of tomorrow": signed(iat=now + 86400, exp=now + 86700),
        "long": signed(exp=now + 86400),
        "without end": signed(exp=None),
        "without age": signed(iat=None),
        "without subject": signed(sub=None),
        "another issuer": signed(iss="somebody"),
        "another audience": signed(aud="somebody"),
        "two audiences": signed(aud=["promptpilot", "somebody"]),
        "of nobody": signed(sub=_NOBODY),
        "of a workspace": signed(sub=site.principal.workspace_id),
        "fractions": signed(exp=now + 600.5),
        "garbage": "garbage",
        "dots": "..",
        "braces": "e30.e30.e30",
        "long text": "a" * 60_000,
        "unicode": "é✓",
    }


def confusions(site: Site) -> dict[str, str]:
    """Return tokens that take a server which signs with EdDSA for one with another algorithm."""
    pem = site.backbone.settings.jwt_secret.get_secret_value().encode()
    key = load_pem_private_key(pem, password=None)
    assert isinstance(key, Ed25519PrivateKey)
    public, claims = key.public_key(), claims_of(site)
    info = PublicFormat.SubjectPublicKeyInfo
    rsa, another = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()
    return {
        "public key as PEM": _by_hand(claims, public.public_bytes(Encoding.PEM, info)),
        "public key as one line": _by_hand(claims, public.public_bytes(Encoding.PEM, info).strip()),
        "public key as DER": _by_hand(claims, public.public_bytes(Encoding.DER, info)),
        "public key as bytes": _by_hand(claims, public.public_bytes_raw()),
        "private key as a text": _by_hand(claims, pem),
        "no key": _by_hand(claims, b""),
        "none": _unsigned(claims, "none"),
        "no signature": _unsigned(claims, "EdDSA"),
        "public keys": jwt.encode(claims, rsa, "RS256"),
        "another key": jwt.encode(claims, another, "EdDSA"),
        "key brought along": jwt.encode(claims, another, "EdDSA", headers=_brought(another)),
    }


def _by_hand(claims: dict[str, Any], key: bytes) -> str:
    """Sign with HS256, also with what a library would refuse as its secret."""
    signed = _unsigned(claims, "HS256").removesuffix(".")
    return f"{signed}.{base64url_encode(hmac.digest(key, signed.encode(), 'sha256')).decode()}"


def _brought(key: Ed25519PrivateKey) -> dict[str, Any]:
    return {"jwk": OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)}
