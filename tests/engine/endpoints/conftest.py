"""What tests of outbound webhooks can ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from promptpilot.engine.api import Engine
from promptpilot.engine.principal import Principal
from promptpilot.models.database import Database
from tests.support.bench import Bench
from tests.support.clock import ManualClock
from tests.support.endpoints import Post
from tests.support.hostile import HostileServer, hostile_server
from tests.support.scene import Scene


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a server that answers as the path says."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
def post(
    database: Database, clock: ManualClock, principal: Principal, server: HostileServer
) -> Post:
    """Give what it takes to be told."""
    return Post(database, clock, principal, server)


@pytest.fixture
def scene(engine: Engine, principal: Principal, bench: Bench) -> Scene:
    """Give a scene in which executions end and endpoints hear of it."""
    return Scene(engine, principal, bench)
