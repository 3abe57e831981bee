"""The real servers that the tests start do what their methods say."""

from __future__ import annotations

import redis

from promptpilot.models.database import Database
from tests.support.redis import RedisServer


def test_a_redis_starts_empty_again_after_a_restart(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("key", "value")
        redis_server.restart()

        assert client.get("key") is None


def test_a_killed_redis_does_not_answer(redis_server: RedisServer) -> None:
    redis_server.kill()

    with redis.Redis.from_url(redis_server.url) as client:
        try:
            is_up = client.ping()
        except redis.ConnectionError:
            is_up = False
    assert not is_up


async def test_a_database_is_migrated_and_empty(database: Database) -> None:
    migrations = await database.fetch("SELECT number FROM schema_migration ORDER BY number")
    users = await database.fetch("SELECT id FROM users")

    assert migrations
    assert migrations[0] == {"number": 1}
    assert users == []
