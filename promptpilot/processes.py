"""The processes that make executions go on: workers and schedulers.

Each runs until it is told to stop. While the database does not answer they wait for it; what is
wrong with the settings or the schema ends them at once with Misconfigured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog

from promptpilot.backbone import (
    Backbone,
    open_backbone,
    require_current_schema,
    require_redis,
)
from promptpilot.bells import DOOR_CHANNEL
from promptpilot.data_dir import load_or_create_secrets
from promptpilot.errors import Unavailable
from promptpilot.settings import Settings
from promptpilot.stopping import Stopping
from workers.deliveries import make_courier
from workers.news import make_newsroom
from workers.retention import prune_until_stopped
from workers.schedules import make_schedules
from workers.worker import take_jobs
from workers.workplace import Workplace, make_ticks

_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def work(settings: Settings, stopping: Stopping) -> None:
    """Run executions; at the end let steps finish and give the rest to other workers."""
    require_redis(settings)
    settings = load_or_create_secrets(settings)
    async with AsyncExitStack() as stack:
        backbone = await open_patiently(settings, [DOOR_CHANNEL], stack, stopping)
        if backbone is not None:
            await run_workplace(Workplace(backbone), backbone, stopping)


async def schedule(settings: Settings, stopping: Stopping) -> None:
    """Fire schedules, tell what became of executions, sweep for what nobody rang for."""
    require_redis(settings)
    async with AsyncExitStack() as stack:
        backbone = await open_patiently(settings, [], stack, stopping)
        if backbone is None:
            return
        log.info("scheduler.ready")
        ticking = asyncio.create_task(make_ticks(backbone).run(), name="ticks")
        try:
            await tend_triggers(backbone, stopping)
        finally:
            ticking.cancel()
            await asyncio.wait([ticking])
        log.info("scheduler.stopped")


async def tend_triggers(backbone: Backbone, stopping: Stopping) -> None:
    """Fire schedules, tell news and prune until the process is to stop and nothing is in hand.

    Told to stop now, leave what is in hand to the other processes.
    """
    async with asyncio.TaskGroup() as group:
        tending = [
            group.create_task(make_schedules(backbone).run(stopping), name="schedules"),
            group.create_task(make_newsroom(backbone).run(stopping), name="news"),
            group.create_task(prune_until_stopped(backbone, stopping), name="retention"),
        ]
        urgency = group.create_task(_cancel_at_once(tending, stopping), name="tend: now")
        await asyncio.wait(tending)
        urgency.cancel()


async def _cancel_at_once(tasks: Collection[asyncio.Task[None]], stopping: Stopping) -> None:
    await stopping.now.wait()
    for task in tasks:
        task.cancel()


async def run_workplace(workplace: Workplace, backbone: Backbone, stopping: Stopping) -> None:
    """Run a workplace with its arq worker until the process is to stop and it has drained.

    What endpoints are to be told is sent here too, because workers have the keys of secrets.
    """
    async with asyncio.TaskGroup() as group:
        jobs = group.create_task(take_jobs(workplace.runner, backbone.bells), name="arq")
        group.create_task(_drain(workplace, backbone.settings.drain, stopping), name="drain")
        group.create_task(_deliver(backbone, stopping), name="deliveries")
        log.info("worker.ready", slots=workplace.runner.free_slots)
        await workplace.run()
        jobs.cancel()
    log.info("worker.drained")


async def _deliver(backbone: Backbone, stopping: Stopping) -> None:
    """Send deliveries until the process is to stop and what was begun has ended; or at once."""
    sending = asyncio.create_task(make_courier(backbone).run(stopping), name="courier")
    urgency = asyncio.create_task(_cancel_at_once([sending], stopping), name="courier: now")
    try:
        await asyncio.wait([sending])
    finally:
        sending.cancel()
        urgency.cancel()
    if not sending.cancelled():
        sending.result()


async def _drain(workplace: Workplace, grace: timedelta, stopping: Stopping) -> None:
    await stopping.soon.wait()
    gently = asyncio.create_task(workplace.drain(grace), name="drain: gently")
    urgency = asyncio.create_task(stopping.now.wait(), name="drain: now")
    await asyncio.wait([gently, urgency], return_when=asyncio.FIRST_COMPLETED)
    urgency.cancel()
    if not gently.done():
        await workplace.drain(timedelta(0))
    await gently


async def open_patiently(
    settings: Settings, hears: Collection[str], stack: AsyncExitStack, stopping: Stopping
) -> Backbone | None:
    """Open the backbone into `stack` as soon as the database answers; None when told to stop."""
    while not stopping.soon.is_set():
        try:
            await require_current_schema(settings)
            return await stack.enter_async_context(open_backbone(settings, hears))
        except Unavailable as error:
            log.warning("database.away", reason=error.message)
            await stopping.pause(_PAUSE_SECONDS)
    return None
