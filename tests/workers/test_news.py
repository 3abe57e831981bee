"""The newsroom tells until it is to stop, at once after a full load, whatever a tick meets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from promptpilot.backbone import Backbone, open_backbone
from promptpilot.engine.triggers.news import BATCH
from promptpilot.errors import Unavailable
from promptpilot.models import Execution, Trigger
from promptpilot.stopping import Stopping
from tests.support.backbones import settings_for
from tests.support.drafts import draft, transform, variable
from tests.support.listeners import make_listener
from tests.support.people import make_principal
from tests.support.processes import Commands
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until
from workers.news import Newsroom

PATIENCE_SECONDS = 10.0


class FakeNews:
    """Has so many news for each tick; a negative number fails."""

    def __init__(self, *counts: int) -> None:
        self.left = list(counts)
        self.is_over = asyncio.Event()
        self.finished = 0

    async def tell(self) -> int:
        """Tell the next load."""
        count = self.left.pop(0) if self.left else 0
        if count < 0:
            raise Unavailable("The database does not answer.")
        return count

    async def finish_pending(self) -> int:
        """Count how often this is asked."""
        self.finished += 1
        if not self.left:
            self.is_over.set()
        return 0


@asynccontextmanager
async def _open(news: FakeNews) -> AsyncIterator[None]:
    """Run a newsroom until all loads are told."""
    stopping = Stopping()
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(Newsroom(news, news).run(stopping))
        await news.is_over.wait()
        yield
        stopping.soon.set()


@pytest.mark.parametrize("counts", [(0,), (3, 0), (-1, 5, 0)], ids=["none", "some", "failing"])
async def test_news_are_told_until_the_process_is_to_stop(counts: tuple[int, ...]) -> None:
    news = FakeNews(*counts)

    async with _open(news):
        told = news.finished

    assert told == sum(count >= 0 for count in counts)


async def test_after_a_full_load_there_is_no_pause() -> None:
    news = FakeNews(*[BATCH] * 200, 0)
    clock = asyncio.get_running_loop().time
    started_at = clock()

    async with _open(news):
        assert clock() - started_at < PATIENCE_SECONDS


async def test_a_scheduler_tells_of_an_end_and_starts_who_listens(
    database_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    commands = Commands(tmp_path)
    urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_server.url}
    async with open_backbone(settings_for(database_url, redis_server.url), []) as backbone:
        trigger = await _listener(backbone)
        commands.start("scheduler", **urls)

        async def has_fired() -> bool:
            return await Execution.filter(trigger_id=trigger.id, depth=1).exists()

        await wait_until(has_fired, 30)
        commands.end_all()


async def _listener(backbone: Backbone) -> Trigger:
    """Store a trigger that listens for cancellations, and cancel an execution."""
    engine, owner = backbone.engine(), await make_principal("owner", backbone.clock)
    inputs = (variable("title"),)
    workflow = await engine.create_workflow(owner, draft(transform("a"), variables=inputs))
    trigger = await make_listener(engine, owner, workflow, "execution.cancelled")
    launched = await engine.start_execution(owner, workflow.id)
    await engine.cancel_execution(owner, launched.execution_id)
    return trigger
