"""Proves that a forged session token is answered like one that means nothing, over every door."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from promptpilot import ids
from promptpilot.app import create_app
from promptpilot.front.websocket import PROTOCOL
from tests.rest.conftest import Site, open_site
from tests.rest.forgeries import claims_of, confusions, forgeries
from tests.support.backbones import settings_for
from tests.support.redis import RedisServer

_UNKNOWN = f"pp_01234567_{'a' * 43}"
_INVALID = "Forbidden: The session token is not valid; log in again."
#: Signed as the server signs, so that they may say why they are good no more.
_TOLD = {
    "expired": "Forbidden: The session has expired; log in again.",
    "of nobody": "Forbidden: The session belongs to a user who is gone; log in again.",
}

# The secret is long enough for the algorithm that the server takes, which is not the forged one.
pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


@pytest.fixture
async def eddsa_site(database_url: str, redis_server: RedisServer) -> AsyncIterator[Site]:
    """Give the application with a key pair instead of a secret."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    async with open_site(settings_for(database_url, redis_server.url, JWT_SECRET=pem)) as site:
        yield site


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


async def _socket(site: Site, token: str) -> tuple[int, str]:
    """Introduce oneself on a socket; return the code and the reason that it is closed with."""
    payload = {"authorization": f"Bearer {token}"}
    init = json.dumps({"type": "connection_init", "payload": payload})
    said = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": init}]
    heard: list[Any] = []

    async def receive() -> Any:
        return said.pop(0) if said else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        heard.append(message)

    scope = {
        "type": "websocket",
        "path": "/graphql",
        "query_string": b"",
        "headers": [],
        "subprotocols": [PROTOCOL],
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    await create_app(site.backbone, site.engine)(scope, receive, send)
    return heard[-1].get("code", 0), heard[-1].get("reason", heard[-1].get("text"))


def _shown(answer: httpx2.Response) -> tuple[int, str | None, Any]:
    """Return what an answer says besides its words: those say what to do."""
    body = answer.json()
    error = body["error"] if "error" in body else body["errors"][0]
    code = error.get("code") or error["extensions"]["code"]
    return answer.status_code, answer.headers.get("www-authenticate"), (sorted(body), code)


@pytest.mark.parametrize("door", [_rest, _graphql])
async def test_a_forgery_is_answered_like_an_unknown_token(door: Any, site: Site) -> None:
    unknown = _shown(await door(site, _UNKNOWN))

    told = {name: _shown(await door(site, token)) for name, token in forgeries(site).items()}

    assert unknown[0] == 401
    assert {name: each for name, each in told.items() if each != unknown} == {}


@pytest.mark.parametrize(("door", "status"), [(_rest, 404), (_graphql, 200)])
async def test_the_token_that_was_forged_passes_as_it_is(
    door: Any, status: int, site: Site
) -> None:
    secret = site.backbone.settings.jwt_secret.get_secret_value()

    answer = await door(site, jwt.encode(claims_of(site), secret, "HS256"))

    assert answer.status_code == status


async def test_a_forgery_closes_a_socket_like_a_token_that_means_nothing(site: Site) -> None:
    unknown = await _socket(site, "unknown")

    told = {name: await _socket(site, token) for name, token in forgeries(site).items()}

    assert unknown == (4403, _INVALID)
    assert (await _socket(site, _UNKNOWN))[0] == 4403
    assert told == {name: (4403, _TOLD.get(name, _INVALID)) for name in told}


async def test_the_token_that_was_forged_is_welcome_on_a_socket(site: Site) -> None:
    secret = site.backbone.settings.jwt_secret.get_secret_value()

    answer = await _socket(site, jwt.encode(claims_of(site), secret, "HS256"))

    assert answer == (0, '{"type":"connection_ack"}')


@pytest.mark.parametrize("door", [_rest, _graphql])
async def test_a_server_with_a_key_pair_takes_no_token_of_another_algorithm(
    door: Any, eddsa_site: Site
) -> None:
    unknown = _shown(await door(eddsa_site, _UNKNOWN))
    confused = confusions(eddsa_site)

    told = {name: _shown(await door(eddsa_site, token)) for name, token in confused.items()}

    assert unknown[0] == 401
    assert told == dict.fromkeys(confused, unknown)


async def test_a_socket_of_a_server_with_a_key_pair_takes_none_either(eddsa_site: Site) -> None:
    confused = confusions(eddsa_site)

    told = {name: await _socket(eddsa_site, token) for name, token in confused.items()}

    assert told == dict.fromkeys(confused, (4403, _INVALID))


async def test_a_server_with_a_key_pair_takes_what_it_signed(eddsa_site: Site) -> None:
    pem = eddsa_site.backbone.settings.jwt_secret.get_secret_value()
    token = jwt.encode(claims_of(eddsa_site), pem, "EdDSA")

    answers = await _rest(eddsa_site, token), await _graphql(eddsa_site, token)

    assert [answer.status_code for answer in answers] == [404, 200]
    assert await _socket(eddsa_site, token) == (0, '{"type":"connection_ack"}')
