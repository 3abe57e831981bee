"""What crash tests can ask for: an installation, and executions for it to run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.access import Access
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.tokens import SessionTokens
from promptpilot.models.database import Database
from tests.crash.api import Api
from tests.crash.load import Load, make_load
from tests.crash.plans import six_prompts
from tests.support.caller import calling, free_port
from tests.support.hostile.process import HostileProcess, hostile_process
from tests.support.installation import Installation, shared
from tests.support.redis import RedisServer

#: The product, with a provider that writes down what it is asked.
_PROGRAM = "tests.support.worker_process"
#: A short lease, so that what a killed worker held is taken over soon.
_SETTINGS = {
    "PROMPTPILOT_LEASE_SECONDS": "2",
    "PROMPTPILOT_WORKER_SLOTS": "8",
    "PROMPTPILOT_SWEEP_SECONDS": "0.2",
}


@pytest.fixture
def installation(
    tmp_path: Path, database_url: str, redis_server: RedisServer
) -> Iterator[Installation]:
    """Give an installation without any process yet, on SQLite and again on PostgreSQL."""
    made = Installation(tmp_path, shared(database_url, redis_server.url) | _SETTINGS, _PROGRAM)
    yield made
    made.remove()


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    """Give the test its own way of launching."""
    opened = await open_committer(database)
    yield opened
    await opened.close()


@pytest.fixture
async def load(database: Database, committer: Committer) -> Load:
    """Give a workflow of six steps to be executed."""
    return await make_load(database, committer, six_prompts())


@pytest.fixture
def receiver(installation: Installation) -> Iterator[HostileProcess]:
    """Give a server that remembers its requests and that workers may call."""
    with hostile_process() as server:
        allowed = {"PROMPTPILOT_EGRESS_ALLOW": f"127.0.0.1:{server.port}"}
        installation.settings = {**installation.settings, **allowed}
        yield server


@pytest.fixture
async def api(database: Database, installation: Installation, load: Load) -> AsyncIterator[Api]:
    """Give the address of a server that a test starts, and somebody who may launch there."""
    sessions = SessionTokens(b"0123456789abcdef0123456789abcdef", "promptpilot", "promptpilot")
    passwords = Passwords()
    access = Access(database, SystemClock(), passwords, sessions)
    _, token = await access.create_token(load.principal, "crash", None)
    async with calling(free_port(), token) as caller:
        yield Api(installation, caller, load.workflow_id)
    passwords.close()
