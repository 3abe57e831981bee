"""Tells what became of executions, and what nobody has told, in a process until it stops.

Any number of processes may do so; each takes what no other has taken.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from promptpilot import ids
from promptpilot.backbone import Backbone
from promptpilot.cancelling import raise_if_cancelled
from promptpilot.engine.endpoints.outbox import Outbox
from promptpilot.engine.launch import Launcher
from promptpilot.engine.triggers.dispatch import Dispatcher
from promptpilot.engine.triggers.events import EventStore
from promptpilot.engine.triggers.news import BATCH, News
from promptpilot.stopping import Stopping

_TICK_SECONDS: Final = 60.0
_EVERY_SECONDS: Final = 0.3
_PAUSE_SECONDS: Final = 1.0
#: By what part a pause is shortened, so that processes do not all look at the same moment.
_JITTER: Final = 0.3

log = structlog.get_logger(__name__)


class Telling(Protocol):
    """Tells news."""

    async def tell(self) -> int:
        """Tell the news of some executions; return of how many."""
        ...


class Finishing(Protocol):
    """Tells what others began to tell."""

    async def finish_pending(self) -> int:
        """Tell events that nobody has told in time; return how many."""
        ...


class Newsroom:
    """Looks for news about three times a second; after a full load, again at once."""

    def __init__(self, news: Telling, dispatcher: Finishing) -> None:
        self._news = news
        self._dispatcher = dispatcher

    async def run(self, stopping: Stopping) -> None:
        """Tick until the process is to stop; one that fails is logged, and the next one comes."""
        while not stopping.soon.is_set():
            pause = await self._tick()
            raise_if_cancelled()
            await stopping.pause(pause * (1 - _JITTER * ids.random_fraction()))

    async def _tick(self) -> float:
        try:
            async with asyncio.timeout(_TICK_SECONDS):
                count = await self._news.tell()
                await self._dispatcher.finish_pending()
        except Exception as error:  # noqa: BLE001 -- the next tick does the same work
            log.warning("news.tick_failed", reason=str(error) or type(error).__name__)
            return _PAUSE_SECONDS
        return 0.0 if count == BATCH else _EVERY_SECONDS


def make_newsroom(backbone: Backbone) -> Newsroom:
    """Return the newsroom of a process."""
    database, clock, versions = backbone.database, backbone.clock, backbone.versions
    max_bytes = backbone.settings.max_input_bytes
    launcher = Launcher(database, backbone.committer, versions, clock, max_bytes)
    store = EventStore(database, clock, max_bytes)
    dispatcher = Dispatcher(database, launcher, versions, store, backbone.bells, clock)
    return Newsroom(News(database, dispatcher, Outbox(clock), clock), dispatcher)
