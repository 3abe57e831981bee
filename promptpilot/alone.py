"""The process in which one execution runs alone, because its workers were lost."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import structlog

from promptpilot.backbone import open_backbone
from promptpilot.data_dir import load_or_create_secrets
from promptpilot.engine import solo
from promptpilot.engine.tools import Tools
from promptpilot.errors import Unavailable
from promptpilot.settings import Settings
from promptpilot.stopping import Stopping
from promptpilot.watchdog import Watchdog

log = structlog.get_logger(__name__)


async def run_alone(settings: Settings, stopping: Stopping) -> int:
    """Run the one execution whose orders come over standard input; return the exit code."""
    # Beside an embedded server the variable is not set; without a Redis only rings are lost.
    url = settings.redis_url or f"unix://{settings.data_dir / 'redis.sock'}"
    settings = load_or_create_secrets(settings.model_copy(update={"redis_url": url}))
    orders = solo.Orders.from_json(await asyncio.to_thread(sys.stdin.buffer.read))
    try:
        async with open_backbone(settings, []) as backbone:
            # The worker beats this execution's lease too: it would not notice that the loop hangs.
            watch = asyncio.create_task(Watchdog(2 * settings.lease).beat(), name="watchdog")
            try:
                await _work_until_stopped(orders, backbone.tools(), stopping)
            finally:
                watch.cancel()
    except Unavailable as error:
        log.warning("solo.gave_up", execution_id=orders.claimed.id, reason=error.message)
        return solo.EXIT_TRY_AGAIN
    return 0


async def _work_until_stopped(orders: solo.Orders, tools: Tools, stopping: Stopping) -> None:
    """Do the work; told to stop, give the step in hand back at once, for the worker won't wait."""
    work = asyncio.create_task(solo.work(orders, tools, stopping.soon.is_set), name="work")
    told = asyncio.create_task(stopping.soon.wait(), name="told")
    await asyncio.wait([work, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
