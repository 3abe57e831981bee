"""Probes tell whether the process lives and whether it can serve; Redis is reported only."""

from __future__ import annotations

import httpx2
import pytest

from promptpilot.app import Doorway
from promptpilot.models.database import Database
from promptpilot.rest.health import Health
from tests.rest.conftest import Site
from tests.support.redis import RedisServer


async def _nothing_missing() -> list[str]:
    return []


async def _answers() -> str:
    return "7"


async def test_a_process_that_turns_lives(site: Site) -> None:
    response = await site.client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_a_server_with_its_database_is_ready(site: Site) -> None:
    response = await site.client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "redis": "ok"}


async def test_a_server_without_redis_is_ready_and_says_so(
    site: Site, redis_server: RedisServer
) -> None:
    redis_server.kill()

    response = await site.client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["redis"].startswith("unavailable")


async def test_a_server_without_its_database_is_not_ready(site: Site) -> None:
    await site.backbone.database.close()
    health = Health(_Gone(), _nothing_missing, _answers)

    is_ready, parts = await health.report()

    assert not is_ready
    assert parts["database"].startswith("unavailable")


class _Gone(Database):
    """A database that does not answer."""

    def __init__(self) -> None:
        pass

    async def fetch(self, sql: str, *values: object) -> list[dict[str, object]]:
        raise OSError("gone")


async def test_a_schema_that_lacks_a_migration_is_not_ready(database: Database) -> None:
    async def missing() -> list[str]:
        return ["0002_more"]

    is_ready, parts = await Health(database, missing, _answers).report()

    assert not is_ready
    assert "0002_more" in parts["database"]


@pytest.mark.parametrize("path", ["/graphql", "/readyz", "/api/webhooks/x", "/"])
async def test_a_server_that_starts_says_when_to_come_again(path: str) -> None:
    transport = httpx2.ASGITransport(Doorway())

    async with httpx2.AsyncClient(transport=transport, base_url="http://site") as client:
        response = await client.post(path)

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json()["error"]["code"] == "UNAVAILABLE"
