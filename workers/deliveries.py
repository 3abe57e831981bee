"""Sends what endpoints are to be told, in a process until it is to stop.

Any number of processes may do so; each takes what no other has taken. Few messages at a time go to
one endpoint, so that one that is slow does not hold up the others.

After SIGTERM nothing is begun; what is being sent ends within its time limit, or is sent again by
others when its lease ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from promptpilot import ids
from promptpilot.backbone import Backbone
from promptpilot.cancelling import raise_if_cancelled
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.endpoints.queue import Queue
from promptpilot.engine.endpoints.secrets import EndpointSecrets
from promptpilot.engine.endpoints.sender import LIMITS, Sender
from promptpilot.engine.endpoints.tries import Taken
from promptpilot.stopping import Stopping

#: Messages that a process sends at the same time: in all, and to one endpoint.
TOGETHER: Final = 64
TO_ONE: Final = 4

_TICK_SECONDS: Final = 60.0
_EVERY_SECONDS: Final = 0.3
_PAUSE_SECONDS: Final = 1.0
#: By what part a pause is shortened, so that processes do not all look at the same moment.
_JITTER: Final = 0.3

log = structlog.get_logger(__name__)


class Sending(Protocol):
    """Takes and sends."""

    async def turns(self) -> list[str]:
        """Return the endpoints for which something is due."""
        ...

    async def take(self, endpoint_id: str, limit: int) -> list[Taken]:
        """Take some of what is due for an endpoint."""
        ...

    async def send(self, taken: Taken) -> None:
        """Send one of them and record how it went."""
        ...


class Courier:
    """Looks for what is due about three times a second, and whenever an endpoint is free again."""

    def __init__(self, sender: Sending) -> None:
        self._sender = sender
        self._busy: Counter[str] = Counter()
        self._is_free = asyncio.Event()

    async def run(self, stopping: Stopping) -> None:
        """Send until the process is to stop; what fails is logged, and the next tick comes."""
        async with asyncio.TaskGroup() as group:
            while not stopping.soon.is_set():
                self._is_free.clear()
                pause = await self._tick(group)
                raise_if_cancelled()
                await self._rest(stopping, pause * (1 - _JITTER * ids.random_fraction()))

    async def _tick(self, group: asyncio.TaskGroup) -> float:
        try:
            async with asyncio.timeout(_TICK_SECONDS):
                for endpoint_id in _from_anywhere(await self._sender.turns()):
                    await self._begin(endpoint_id, group)
        except Exception as error:  # noqa: BLE001 -- the next tick does the same work
            log.warning("delivery.tick_failed", reason=str(error) or type(error).__name__)
            return _PAUSE_SECONDS
        return _EVERY_SECONDS

    async def _begin(self, endpoint_id: str, group: asyncio.TaskGroup) -> None:
        """Send as much of what is due for an endpoint as there is room for."""
        room = min(TO_ONE - self._busy[endpoint_id], TOGETHER - self._busy.total())
        if room <= 0:
            return
        for taken in await self._sender.take(endpoint_id, room):
            self._busy[endpoint_id] += 1
            group.create_task(self._send(taken), name="delivery: send")

    async def _send(self, taken: Taken) -> None:
        try:
            await self._sender.send(taken)
        except Exception as error:  # noqa: BLE001 -- it is sent again when its lease ends
            reason = str(error) or type(error).__name__
            log.warning("delivery.not_recorded", delivery_id=taken.delivery.id, reason=reason)
        finally:
            self._busy[taken.endpoint.id] -= 1
            self._busy += Counter()  # forgets endpoints that are not busy
            self._is_free.set()

    async def _rest(self, stopping: Stopping, seconds: float) -> None:
        """Return after `seconds`, when a message was sent, or when the process is to stop."""
        waiting = [
            asyncio.create_task(stopping.soon.wait(), name="delivery: stop"),
            asyncio.create_task(self._is_free.wait(), name="delivery: free"),
        ]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


def _from_anywhere(endpoint_ids: Sequence[str]) -> list[str]:
    """Return the ids in their order but begun by chance, so that none is always the last."""
    start = int(len(endpoint_ids) * ids.random_fraction())
    return [*endpoint_ids[start:], *endpoint_ids[:start]]


def make_courier(backbone: Backbone) -> Courier:
    """Return the courier of a process."""
    http = HttpClient(AllowList.of(backbone.settings.egress_allow), LIMITS)
    queue = Queue(backbone.database, backbone.clock)
    secrets = EndpointSecrets(backbone.vault())
    return Courier(Sender(queue, http, secrets, backbone.clock))
