"""Proves that a socket believes a token only as long as it is good."""

from __future__ import annotations

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from promptpilot.app import Callers
from promptpilot.errors import Unauthenticated
from promptpilot.front.limits import Limits
from tests.schema.api import Api


async def _silence() -> Message:
    raise AssertionError("Nobody listens.")


async def _deafness(message: Message) -> None:
    raise AssertionError("Nobody speaks.")


async def test_a_revoked_token_speaks_no_more_on_an_open_socket(api: Api) -> None:
    assert api.principal is not None
    token, text = await api.engine.create_access_token(api.principal, "ci")
    socket = WebSocket({"type": "websocket", "headers": []}, _silence, _deafness)
    session = await Callers(api.engine, Limits()).of_socket(
        socket, {"authorization": f"Bearer {text}"}
    )
    await session.check()

    await api.engine.revoke_access_token(api.principal, token.id)

    with pytest.raises(Unauthenticated):
        await session.check()
