"""What `arq workers.settings.WorkerSettings` reads: the same worker, in arq's own process.

arq's own loop looks twice a second; the runner is woken by the door bell itself.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, ClassVar

import orjson
from arq.connections import RedisSettings
from redis.asyncio.connection import parse_url

from promptpilot import log
from promptpilot.backbone import open_backbone, require_current_schema, require_redis
from promptpilot.bells import DOOR_CHANNEL, HEALTH_KEY, QUEUE
from promptpilot.settings import Settings
from workers.tasks import wake_function
from workers.workplace import Workplace


async def start(context: dict[str, Any]) -> None:
    """Open everything and begin to work. Raise Misconfigured or Unavailable when that fails."""
    settings = Settings.from_env()
    log.configure(settings.log_level, settings.log_format)
    require_redis(settings)
    await require_current_schema(settings)
    stack = context["stack"] = AsyncExitStack()
    workplace = Workplace(await stack.enter_async_context(open_backbone(settings, [DOOR_CHANNEL])))
    context["grace"] = settings.drain
    context["workplace"] = workplace
    context["runner"] = workplace.runner
    context["work"] = asyncio.create_task(workplace.run())


async def stop(context: dict[str, Any]) -> None:
    """Let steps end, give the rest back and close everything. Nothing to do if start() failed."""
    if "work" in context:
        await context["workplace"].drain(context["grace"])
        await context["work"]
    if "stack" in context:
        await context["stack"].aclose()


def redis_settings(url: str) -> RedisSettings:
    """Return what arq needs to find the Redis at `url`; without one, arq's own default."""
    if not url:
        return RedisSettings()
    parts = parse_url(url)
    return RedisSettings(
        host=parts.get("host", "localhost"),
        port=parts.get("port", 6379),
        unix_socket_path=parts.get("path"),
        database=parts.get("db", 0),
        username=parts.get("username"),
        password=parts.get("password"),
        ssl=url.startswith("rediss:"),
    )


class WorkerSettings:
    """arq reads the attributes of this very class; a subclass would lose them."""

    functions: ClassVar = [wake_function()]
    queue_name = QUEUE
    redis_settings = redis_settings(Settings.from_env().redis_url)
    job_serializer = orjson.dumps
    job_deserializer = orjson.loads
    keep_result = 0
    health_check_interval = 5
    health_check_key = HEALTH_KEY
    on_startup = start
    on_shutdown = stop
