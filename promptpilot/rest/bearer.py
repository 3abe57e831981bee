"""Finds out who sent a request, by the token in its header."""

from __future__ import annotations

from starlette.requests import Request

from promptpilot.engine.api import Engine
from promptpilot.engine.principal import Principal
from promptpilot.errors import Unauthenticated


async def identify(request: Request, engine: Engine) -> Principal:
    """Return who calls. Raises Unauthenticated without a token, or with one that is not valid."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not bearer.strip():
        raise Unauthenticated("Send the header Authorization: Bearer <token>.")
    return await engine.identify(bearer.strip())
