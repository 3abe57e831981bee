"""Proves that a forged session token is answered like one that means nothing, over every door."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from promptpilot import ids
from tests.rest.conftest import Site

_KEY = b"another secret that is long enough for HS256"
_NOBODY = ids.new_id(ids.Kind.USER)


def _claims(site: Site, **changes: Any) -> dict[str, Any]:
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


def _forgeries(site: Site) -> dict[str, str]:
    """Return tokens that must not pass: signed with the right secret unless that is the forgery."""
    secret = site.backbone.settings.jwt_secret.get_secret_value()
    private = generate_private_key(65537, 2048)
    now, claims = int(time.time()), _claims(site)

    def signed(**changes: Any) -> str:
        return jwt.encode(_claims(site, **changes), secret, "HS256")

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


def _header(token: str) -> dict[str, bytes]:
    return {"authorization": b"Bearer " + token.encode()}


async def _rest(site: Site, token: str) -> httpx2.Response:
    return await site.client.get(
        f"/api/executions/{ids.new_id(ids.Kind.EXECUTION)}",
        headers=_header(token),  # type: ignore[arg-type]  # bytes, for what is no ASCII
    )


async def _graphql(site: Site, token: str) -> httpx2.Response:
    asked = {"query": "{ viewer { id } }"}
    return await site.client.post("/graphql", json=asked, headers=_header(token))  # type: ignore[arg-type]  # as above


def _shown(answer: httpx2.Response) -> tuple[int, str | None, Any]:
    """Return what an answer says besides its words: those say what to do."""
    body = answer.json()
    error = body["error"] if "error" in body else body["errors"][0]
    code = error.get("code") or error["extensions"]["code"]
    return answer.status_code, answer.headers.get("www-authenticate"), (sorted(body), code)


# The secret is long enough for the algorithm that the server takes, which is not the forged one.
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("door", [_rest, _graphql])
async def test_a_forgery_is_answered_like_an_unknown_token(door: Any, site: Site) -> None:
    unknown = _shown(await door(site, f"pp_01234567_{'a' * 43}"))

    told = {name: _shown(await door(site, token)) for name, token in _forgeries(site).items()}

    assert unknown[0] == 401
    assert {name: each for name, each in told.items() if each != unknown} == {}


@pytest.mark.parametrize(("door", "status"), [(_rest, 404), (_graphql, 200)])
async def test_the_token_that_was_forged_passes_as_it_is(
    door: Any, status: int, site: Site
) -> None:
    secret = site.backbone.settings.jwt_secret.get_secret_value()

    answer = await door(site, jwt.encode(_claims(site), secret, "HS256"))

    assert answer.status_code == status
