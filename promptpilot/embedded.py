"""`promptpilot up`: everything in one process, with a private Redis and a data folder of its own.

After a crash: start it again; what was running goes on when its lease runs out.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog
from rich.console import Console

from promptpilot.app import Doorway, create_app
from promptpilot.backbone import Backbone, environment_accounts, open_backbone
from promptpilot.bells import DOOR_CHANNEL, FEED_CHANNEL
from promptpilot.data_dir import DataDirLock, load_or_create_secrets
from promptpilot.engine.api import Engine
from promptpilot.errors import Misconfigured
from promptpilot.example import target_for
from promptpilot.models.migrate import migrate
from promptpilot.owner import find_owner, has_example, keep_up_example, make_owner
from promptpilot.processes import run_workplace, tend_triggers
from promptpilot.redis_process import RedisProcess
from promptpilot.settings import Settings
from promptpilot.stopping import Stopping
from promptpilot.web import WebServer, own_url
from promptpilot.welcome import Place, show_delivery, show_first_run, show_model, show_ready
from workers.workplace import Workplace

log = structlog.get_logger(__name__)


async def up(settings: Settings, stopping: Stopping, console: Console) -> None:
    """Run everything until told to stop. Raises Misconfigured, e.g. when the folder is in use."""
    if settings.is_production:
        message = "`promptpilot up` is for PROMPTPILOT_ENV=embedded; use serve, worker, scheduler."
        raise Misconfigured([message])
    with DataDirLock(settings.data_dir):
        settings = load_or_create_secrets(settings)
        doorway = Doorway()
        server = WebServer(doorway, settings)
        server.bind()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.run(stopping), name="web")
            async with AsyncExitStack() as stack:
                settings = await _prepare(settings, stack)
                hears = [DOOR_CHANNEL, FEED_CHANNEL]
                backbone = await stack.enter_async_context(open_backbone(settings, hears))
                await _run(backbone, doorway, stopping, console)
                await asyncio.wait([serving])
                doorway.close()


async def _prepare(settings: Settings, stack: AsyncExitStack) -> Settings:
    """Migrate the database and start a Redis, at the same time; return where the Redis is."""
    async with asyncio.TaskGroup() as group:
        group.create_task(migrate(settings.database_url), name="migrate")
        if settings.redis_url:
            return settings
        redis = RedisProcess(settings.data_dir)
        group.create_task(stack.enter_async_context(redis), name="redis")
    return settings.model_copy(update={"redis_url": redis.url})


async def _run(backbone: Backbone, doorway: Doorway, stopping: Stopping, console: Console) -> None:
    """Serve, work and welcome until told to stop and everything has drained."""
    engine = backbone.engine()
    doorway.open(create_app(backbone, engine))
    async with asyncio.TaskGroup() as group:
        group.create_task(run_workplace(Workplace(backbone), backbone, stopping), name="work")
        group.create_task(tend_triggers(backbone, stopping), name="triggers")
        welcoming = group.create_task(_welcome(backbone, engine, console), name="welcome")
        await stopping.soon.wait()
        welcoming.cancel()


async def _welcome(backbone: Backbone, engine: Engine, console: Console) -> None:
    """Tell where everything is; at the first start make the owner and run the example once."""
    settings, clock = backbone.settings, backbone.clock
    place = Place(settings.public_url, own_url(settings), settings.data_dir)
    owner = await find_owner(engine, settings.data_dir)
    target = target_for(environment_accounts(settings), settings.example_model)
    if owner is None:
        owner = await make_owner(engine, settings.data_dir, target)
        show_model(console, target)
        await show_first_run(console, place, owner, clock)
    elif await keep_up_example(engine, owner, target):
        show_model(console, target)
    show_ready(console, place, owner)
    if await has_example(owner):
        show_delivery(console, place, owner, clock)
