"""Proves that tokens of another issuer are taken if, and only if, it signed them for us."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from promptpilot.engine.access import Access
from promptpilot.engine.egress.messages import HttpRequest, HttpResponse
from promptpilot.engine.identity_tokens import Identities, Issuer
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.tokens import SessionTokens
from promptpilot.errors import BadCredentials, Unauthenticated, Unavailable
from promptpilot.models import User, Workspace
from promptpilot.models.database import Database
from tests.support.clock import ManualClock

ISSUER = "https://id.example.org"
KEYS: dict[str, Any] = {
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed": Ed25519PrivateKey.generate(),
}
ALGORITHMS = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


class Provider:
    """Publishes keys, until it is down, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.published = ["rsa", "ec", "ed"]
        self.status = 200

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Answer with the discovery document or the keys."""
        self.asked.append(request.url)
        keys = [_public(name) for name in self.published]
        found = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        document = {"keys": keys} if request.url.endswith("/keys") else found
        return HttpResponse(self.status, {}, json.dumps(document).encode())


def _public(name: str) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name(ALGORITHMS[name])
    published = json.loads(algorithm.to_jwk(KEYS[name].public_key()))
    return {**published, "kid": name, "use": "sig", "alg": ALGORITHMS[name]}


@pytest.fixture
def provider() -> Provider:
    """Give the other server."""
    return Provider()


@pytest.fixture
def identities(database: Database, clock: ManualClock, provider: Provider) -> Identities:
    """Give what proves its tokens."""
    return Identities(database, clock, provider, Issuer(ISSUER, "promptpilot"))


def token(clock: ManualClock, key: str = "rsa", **changes: Any) -> str:
    """Return a token that the issuer signed for us, but for the changes; None takes a claim out."""
    now = int(clock.now().timestamp())
    claims = {"iss": ISSUER, "aud": "promptpilot", "sub": "u-1", "iat": now, "exp": now + 300}
    said = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(said, KEYS[key], algorithm=ALGORITHMS[key], headers={"kid": key})


@pytest.mark.parametrize("key", list(KEYS))
async def test_who_comes_first_gets_an_account(
    identities: Identities, clock: ManualClock, key: str
) -> None:
    first = await identities.identify(token(clock, key))
    again = await identities.identify(token(clock, key))

    assert first.user_id == again.user_id
    assert await Workspace.filter(owner_id=first.user_id).count() == 1


async def test_people_are_told_apart_by_their_subject(
    identities: Identities, clock: ManualClock
) -> None:
    ada = await identities.identify(token(clock, sub="ada"))
    eve = await identities.identify(token(clock, sub="eve"))

    assert ada.workspace_id != eve.workspace_id


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"iss": "https://evil.example.org"},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"iat": None},
        {"exp": 1},
        {"iat": 4_000_000_000, "exp": 4_000_000_300},
        {"nbf": 4_000_000_000},
        {"exp": "soon"},
    ],
)
async def test_what_was_not_signed_for_us_and_now_is_refused(
    identities: Identities, clock: ManualClock, changes: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated):
        await identities.identify(token(clock, **changes))

    assert await User.all().count() == 0


async def test_no_other_algorithm_is_taken(identities: Identities, clock: ManualClock) -> None:
    claims = jwt.decode(token(clock), options={"verify_signature": False})
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "rsa"})
    shared = jwt.encode(claims, "0" * 64, algorithm="HS256", headers={"kid": "rsa"})

    for forged in (unsigned, shared):
        with pytest.raises(Unauthenticated):
            await identities.identify(forged)


async def test_a_key_under_another_ones_name_proves_nothing(
    identities: Identities, clock: ManualClock
) -> None:
    claims = jwt.decode(token(clock), options={"verify_signature": False})
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(claims, other, algorithm="RS256", headers={"kid": "rsa"})

    with pytest.raises(Unauthenticated):
        await identities.identify(forged)


async def test_a_new_key_is_fetched_when_it_is_used(
    identities: Identities, clock: ManualClock, provider: Provider
) -> None:
    provider.published = ["rsa"]
    await identities.identify(token(clock))
    provider.published = ["rsa", "ec"]
    clock.at += timedelta(minutes=1)

    assert (await identities.identify(token(clock, "ec"))).user_id


async def test_unknown_keys_do_not_make_it_ask_all_the_time(
    identities: Identities, clock: ManualClock, provider: Provider
) -> None:
    provider.published = ["rsa"]
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            await identities.identify(token(clock, "ec"))

    assert len(provider.asked) == 2


async def test_keys_go_on_while_the_issuer_is_down(
    identities: Identities, clock: ManualClock, provider: Provider
) -> None:
    await identities.identify(token(clock))
    provider.status = 503
    clock.at += timedelta(hours=1)

    assert (await identities.identify(token(clock))).user_id


async def test_without_any_key_nobody_is_refused_for_good(
    identities: Identities, clock: ManualClock, provider: Provider
) -> None:
    provider.status = 503

    for _ in range(2):  # the second time it is not asked again
        with pytest.raises(Unavailable):
            await identities.identify(token(clock))

    assert len(provider.asked) == 1


async def test_an_email_counts_only_if_the_issuer_has_proven_it(
    identities: Identities, clock: ManualClock
) -> None:
    claimed = {"email": "ada@example.org", "name": "Ada"}
    first = await identities.identify(token(clock, sub="1", **claimed, email_verified=False))
    second = await identities.identify(token(clock, sub="2", **claimed, email_verified=True))

    assert (await User.get(id=first.user_id)).email.endswith("@users.invalid")
    assert (await User.get(id=second.user_id)).email == "ada@example.org"


async def test_nobody_takes_an_account_over_by_its_email(
    identities: Identities, access: Access, clock: ManualClock
) -> None:
    await access.register("ada@example.org", "correct horse battery", None)

    with pytest.raises(Unauthenticated) as refused:
        await identities.identify(token(clock, email="ada@example.org", email_verified=True))

    assert "password" in str(refused.value)


async def test_accounts_are_made_only_if_the_operator_lets_it(
    database: Database, clock: ManualClock, provider: Provider
) -> None:
    issuer = Issuer(ISSUER, "promptpilot", f"{ISSUER}/keys", makes_accounts=False)
    closed = Identities(database, clock, provider, issuer)

    with pytest.raises(Unauthenticated):
        await closed.identify(token(clock))

    assert provider.asked == [f"{ISSUER}/keys"]


async def test_sessions_and_identity_tokens_are_taken_side_by_side(
    database: Database,
    clock: ManualClock,
    passwords: Passwords,
    sessions: SessionTokens,
    identities: Identities,
) -> None:
    access = Access(database, clock, passwords, sessions, identities)
    signed_in = await access.register("ada@example.org", "correct horse battery", None)

    ours, theirs = [await access.identify(each) for each in (signed_in.token, token(clock))]

    assert ours.user_id != theirs.user_id


async def test_who_has_no_password_cannot_sign_in_with_one(
    identities: Identities, access: Access, clock: ManualClock
) -> None:
    await identities.identify(token(clock, email="ada@example.org", email_verified=True))

    with pytest.raises(BadCredentials):
        await access.login("ada@example.org", "")
