"""An OpenID Connect server on the loopback: publishes its keys and signs tokens for anybody."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.hostile.conversation import Conversation
from tests.support.hostile.server import HostileServer

_JSON = {"Content-Type": "application/json"}


class IdentityProvider(HostileServer):
    """Answers discovery and keys; its journal tells what was asked."""

    def __init__(self, host: str, scheme: str) -> None:
        super().__init__(host, scheme)
        self._key = Ed25519PrivateKey.generate()

    def token(self, subject: str, **changes: Any) -> str:
        """Sign a token that is good for five minutes, but for the changes."""
        now = int(time.time())
        claims = {
            "iss": self.url(),
            "aud": "promptpilot",
            "sub": subject,
            "iat": now,
            "exp": now + 300,
        }
        headers = {"kid": "k1"}
        return jwt.encode(claims | changes, self._key, algorithm="EdDSA", headers=headers)

    async def _behave(self, conversation: Conversation) -> None:
        algorithm = jwt.get_algorithm_by_name("EdDSA")
        published = json.loads(algorithm.to_jwk(self._key.public_key()))
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {
                "issuer": self.url(),
                "jwks_uri": self.url("/keys"),
            },
            "/keys": {"keys": [{**published, "kid": "k1", "use": "sig", "alg": "EdDSA"}]},
        }
        document = documents[conversation.request.path]
        await conversation.answer(200, json.dumps(document).encode(), _JSON)


@asynccontextmanager
async def identity_provider() -> AsyncIterator[IdentityProvider]:
    """Run one; it is stopped with its conversations at the end."""
    server = IdentityProvider("127.0.0.1", "http")
    listening = await server.serve(None)
    try:
        yield server
    finally:
        listening.close()
        await server.stop()
