"""Proves that people's moves are made on the clock by which executions are claimed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from promptpilot.clock import SystemClock
from promptpilot.engine.commits import Committer, open_committer
from promptpilot.engine.interventions import Interventions
from promptpilot.models import Execution
from promptpilot.models.database import Database
from tests.support.ledgers import opening


class FastClock(SystemClock):
    """A process's clock that is an hour ahead of everybody else's."""

    def now(self) -> datetime:
        """Return an instant to come."""
        return super().now() + timedelta(hours=1)


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    """Give a committer on the database's own clock."""
    opened = await open_committer(database)
    yield opened
    await opened.close()


# Processes on one SQLite file share their machine, and with it the clock.
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_what_a_fast_clock_resumes_may_be_claimed_at_once(
    committer: Committer, database: Database
) -> None:
    asked = opening()
    await committer.open(asked)
    moves = Interventions(database, FastClock())

    await moves.pause("ws_1", asked.id)
    await moves.resume("ws_1", asked.id)

    assert len(await committer.claim("w1", 10, 1000)) == 1
    assert (await Execution.get(id=asked.id)).started_at is not None
