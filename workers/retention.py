"""Removes what no reader can reach any more, now and then, until the process is to stop."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from promptpilot import ids
from promptpilot.backbone import Backbone
from promptpilot.cancelling import raise_if_cancelled
from promptpilot.engine.retention import Retention
from promptpilot.stopping import Stopping

_EVERY_SECONDS: Final = 300.0
#: By what part a pause is shortened at most, so that processes do not all begin at once.
_JITTER: Final = 0.3
_LONGEST_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


async def prune_until_stopped(backbone: Backbone, stopping: Stopping) -> None:
    """Prune about every five minutes; what fails is logged, and done the next time."""
    retention = Retention(backbone.database, backbone.clock)
    while not await _is_stopped_within(_EVERY_SECONDS * _share(), stopping):
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                count = await retention.prune()
            if count:
                log.info("retention.pruned", rows=count)
        except Exception as error:  # noqa: BLE001 -- the next time does the same work
            log.warning("retention.failed", reason=str(error) or type(error).__name__)
        raise_if_cancelled()


async def _is_stopped_within(seconds: float, stopping: Stopping) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stopping.soon.wait()
    except TimeoutError:
        return False
    return True


def _share() -> float:
    """Return a random part of a pause, from 1 - _JITTER to 1."""
    return 1 - _JITTER * int(ids.new_reference(), 16) / 16**12
