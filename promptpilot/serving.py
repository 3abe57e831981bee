"""The process that callers talk to: GraphQL, REST and probes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog

from promptpilot.app import Doorway, create_app
from promptpilot.backbone import require_redis
from promptpilot.bells import FEED_CHANNEL
from promptpilot.data_dir import load_or_create_secrets
from promptpilot.processes import open_patiently
from promptpilot.rates import redis_storage
from promptpilot.settings import Settings
from promptpilot.stopping import Stopping
from promptpilot.web import WebServer

log = structlog.get_logger(__name__)


async def serve(settings: Settings, stopping: Stopping) -> None:
    """Serve GraphQL and REST; before the database answers, tell callers to come again."""
    require_redis(settings)
    settings = load_or_create_secrets(settings)
    doorway = Doorway()
    server = WebServer(doorway, settings)
    server.bind()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        serving = group.create_task(server.run(stopping), name="web")
        backbone = await open_patiently(settings, [FEED_CHANNEL], stack, stopping)
        if backbone is not None:
            storage = await stack.enter_async_context(redis_storage(settings.redis_url))
            doorway.open(create_app(backbone, backbone.engine(), storage))
            log.info("server.ready", url=settings.public_url)
        await asyncio.wait([serving])
        doorway.close()
