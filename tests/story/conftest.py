"""What stories can ask for: a running installation with a server and a worker of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.story.triage import Triage, sign_up
from tests.support.caller import Caller, calling, free_port
from tests.support.installation import Installation, shared
from tests.support.redis import RedisServer

SETTINGS = {"PROMPTPILOT_LEASE_SECONDS": "2", "PROMPTPILOT_REGISTRATION": "open"}


@pytest.fixture
def installation(
    tmp_path: Path, database_url: str, redis_server: RedisServer
) -> Iterator[Installation]:
    """Give an installation on SQLite and again on PostgreSQL, with one worker."""
    made = Installation(tmp_path, shared(database_url, redis_server.url) | SETTINGS)
    made.start("worker")
    yield made
    made.remove()


@pytest.fixture
async def caller(installation: Installation) -> AsyncIterator[Caller]:
    """Give somebody who calls the server, as soon as it takes requests."""
    port = free_port()
    installation.start("serve", PROMPTPILOT_PORT=str(port))
    async with calling(port) as made:
        yield await made.until_served()


@pytest.fixture
async def triage(caller: Caller) -> Triage:
    """Give the example with its trigger, and its owner who is signed in."""
    return await sign_up(caller)
