"""What tests of the API can ask for: an engine on each database, callers, and a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from promptpilot.engine.api import Engine, EngineSettings
from promptpilot.engine.assembly import Foundation, assemble
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.passwords import Passwords
from promptpilot.engine.principal import Principal
from promptpilot.engine.runner import Runner, RunnerSettings
from promptpilot.engine.tokens import SessionTokens
from promptpilot.engine.triggers.scheduler import Scheduler
from promptpilot.local_relay import LocalRelay
from promptpilot.models.database import Database
from tests.schema.api import Api
from tests.support.clock import ManualClock
from tests.support.fakes import FakeFeed, FakeWaker
from tests.support.people import make_principal
from tests.support.tools import VAULT, make_tools

SETTINGS = EngineSettings(public_url="https://pilot.example.org")


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that the test moves."""
    return ManualClock()


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    """Give the real password hashing; its threads serve all tests."""
    made = Passwords()
    yield made
    made.close()


@pytest.fixture
async def committer(database: Database, clock: ManualClock) -> AsyncIterator[Committer]:
    """Give the way in for writes to executions."""
    opened = await open_committer(database, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
def waker() -> FakeWaker:
    """Give the bell of the workers."""
    return FakeWaker()


@pytest.fixture
def engine(
    database: Database,
    clock: ManualClock,
    passwords: Passwords,
    committer: Committer,
    waker: FakeWaker,
) -> Engine:
    """Give a whole engine."""
    sessions = SessionTokens(b"0123456789abcdef0123456789abcdef", "promptpilot", "promptpilot")
    return assemble(
        Foundation(
            database=database,
            committer=committer,
            clock=clock,
            waker=waker,
            feed=FakeFeed(),
            vault=VAULT,
            passwords=passwords,
            sessions=sessions,
            settings=SETTINGS,
            outputs=LocalRelay(),
        )
    )


@pytest.fixture
async def principal(database: Database, clock: ManualClock) -> Principal:
    """Give somebody who calls, with a personal workspace."""
    return await make_principal("ada", clock)


@pytest.fixture
async def stranger(database: Database, clock: ManualClock) -> Principal:
    """Give somebody else, with a workspace of their own."""
    return await make_principal("eve", clock)


@pytest.fixture
def api(engine: Engine, principal: Principal) -> Api:
    """Give the API as `principal` sees it."""
    return Api(engine, principal)


@pytest.fixture
def scheduler(engine: Engine, waker: FakeWaker, clock: ManualClock) -> Scheduler:
    """Give a scheduler whose times come when the test moves the clock."""
    parts = engine.parts
    return Scheduler(engine.database, parts.launcher, parts.control, waker, engine.feed, clock)


@pytest.fixture
async def worker(engine: Engine, committer: Committer, waker: FakeWaker) -> AsyncIterator[Runner]:
    """Give a worker that runs what is due, until the test ends."""
    settings = RunnerSettings(owner="worker", poll=timedelta(milliseconds=50))
    tools = make_tools(
        engine.database, committer, engine.feed, clock=engine.clock, outputs=engine.outputs
    )
    runner = Runner(tools, waker, settings)
    waker.call(runner.wake)
    running = asyncio.create_task(runner.run())
    yield runner
    await runner.drain(timedelta(seconds=5))
    await running
