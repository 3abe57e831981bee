"""The machine's own limits, measured beside ours: commits a second and empty arq jobs a second."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.worker import Worker, func

_SECONDS = 2.0


def sqlite_commits(synchronous: str) -> float:
    """Return single-row commits a second of the sqlite3 module, WAL, on one connection."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "limit.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < _SECONDS:
            connection.execute("INSERT INTO t (v) VALUES ('x')")
            count += 1
        elapsed = time.perf_counter() - started
        connection.close()
    return count / elapsed


async def postgres_commits(url: str, connections: int) -> float:
    """Return single-row commits a second on that many connections."""
    pool = await asyncpg.create_pool(url, min_size=connections, max_size=connections)
    await pool.execute("CREATE TABLE IF NOT EXISTS bench_limit (id bigserial, v text)")
    until = time.perf_counter() + _SECONDS
    counts = await asyncio.gather(*(_insert_until(pool, until) for _ in range(connections)))
    await pool.execute("DROP TABLE bench_limit")
    await pool.close()
    return sum(counts) / _SECONDS


async def _insert_until(pool: asyncpg.Pool, until: float) -> int:
    count = 0
    async with pool.acquire() as connection:
        while time.perf_counter() < until:
            await connection.execute("INSERT INTO bench_limit (v) VALUES ('x')")
            count += 1
    return count


async def arq_jobs(socket: Path, count: int = 400) -> float:
    """Return empty jobs a second of arq as it comes, enqueued before its worker starts."""
    settings = RedisSettings(unix_socket_path=str(socket))
    pool: ArqRedis = await create_pool(settings)
    for _ in range(count):
        await pool.enqueue_job("nothing")
    worker = Worker(
        [func(_nothing, name="nothing")],
        redis_settings=settings,
        burst=True,
        handle_signals=False,
        keep_result=0,
    )
    started = time.perf_counter()
    await worker.async_run()
    elapsed = time.perf_counter() - started
    await worker.close()
    await pool.aclose()
    return count / elapsed


async def _nothing(ctx: dict[str, Any]) -> None:
    """Do nothing."""
