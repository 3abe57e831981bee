"""What the contract suites can ask for besides a database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from promptpilot.engine.commits import Committer, open_committer
from promptpilot.models.database import Database
from tests.support.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that the test moves."""
    return ManualClock()


@pytest.fixture
async def committer(database: Database, clock: ManualClock) -> AsyncIterator[Committer]:
    """Give a committer on the test's clock."""
    opened = await open_committer(database, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def neighbour(database: Database, clock: ManualClock) -> AsyncIterator[Committer]:
    """Give the committer of another process on the same database."""
    opened = await open_committer(database, clock=clock)
    yield opened
    await opened.close()
