"""What these stories can ask for: an installation that may call a server of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story.owner import Owner, join
from tests.support.caller import Caller
from tests.support.hostile.process import HostileProcess, hostile_process
from tests.support.installation import Installation, shared
from tests.support.redis import RedisServer

#: The product, with a provider that writes down what it is asked.
_PROGRAM = "tests.support.worker_process"
_SETTINGS = {"PROMPTPILOT_LEASE_SECONDS": "2", "PROMPTPILOT_REGISTRATION": "open"}


@pytest.fixture
def receiver() -> Iterator[HostileProcess]:
    """Give a server that gets the requests of WEBHOOK steps and remembers them."""
    with hostile_process() as server:
        yield server


@pytest.fixture
def installation(
    tmp_path: Path, database_url: str, redis_server: RedisServer, receiver: HostileProcess
) -> Iterator[Installation]:
    """Give an installation on SQLite and again on PostgreSQL, with one worker."""
    allowed = {"PROMPTPILOT_EGRESS_ALLOW": f"127.0.0.1:{receiver.port}"}
    settings = shared(database_url, redis_server.url) | _SETTINGS | allowed
    made = Installation(tmp_path, settings, _PROGRAM)
    made.start("worker")
    yield made
    made.remove()


@pytest.fixture
async def owner(caller: Caller) -> Owner:
    """Give somebody who is signed in."""
    return await join(caller)
