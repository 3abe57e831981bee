"""Probes: whether the process lives, and whether it can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from promptpilot.errors import Misconfigured, Unavailable
from promptpilot.models.database import Database
from promptpilot.rest.errors import RETRY_AFTER_SECONDS

_ANSWER_SECONDS = 2.0

#: Raises when what it asks for is not there.
Check = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes ask. `schema` returns pending migrations, `redis` its version."""

    database: Database
    schema: Callable[[], Awaitable[list[str]]]
    redis: Check

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Return whether requests can be served, and how each part is. Redis is not needed."""
        database, redis = await asyncio.gather(self._database(), _ask(self.redis))
        return database == "ok", {"database": database, "redis": redis}

    async def _database(self) -> str:
        answer = await _ask(lambda: self.database.fetch("SELECT 1"))
        if answer != "ok":
            return answer
        try:
            missing = await self.schema()
        except (Misconfigured, Unavailable) as error:
            return str(error)
        return f"pending migrations: {', '.join(missing)}" if missing else "ok"


async def live(request: Request, health: Health | None = None) -> Response:
    """Answer 200: the process turns, whatever else does."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request, health: Health) -> Response:
    """Answer 200 when requests can be served, else 503."""
    is_ready, parts = await health.report()
    status = "ok" if is_ready else "unavailable"
    headers = {"cache-control": "no-store"}
    if not is_ready:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return JSONResponse({"status": status, **parts}, 200 if is_ready else 503, headers=headers)


async def _ask(check: Check) -> str:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 -- whatever it is, the part cannot be used
        return f"unavailable: {type(error).__name__}"
    return "ok"
