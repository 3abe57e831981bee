"""Executions a second and latency from trigger to completion, on both databases.

Usage: python -m benchmarks [--count 5000] [--connections 32] [--only sqlite|postgres]
       python -m benchmarks graphql [--count 3000]
       python -m benchmarks sockets [--count 1000] [--rings 20] [--followers 200]
       python -m benchmarks starts [--count 3000]

The path is the whole product: a signed webhook over HTTP, stored, three steps, each one durable
before the next begins, events stored. Every execution is counted in the database afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.table import Table

from benchmarks import graphql, machine, sockets, starts
from benchmarks.load import Result, post_webhooks
from benchmarks.servers import Target, running
from promptpilot.models.migrate import migrate
from tests.support.postgres import PostgresServer, create_empty
from tests.support.redis import RedisServer

Query = Callable[[str], list[tuple]]
_DONE = "SELECT count(*) FROM executions WHERE status = 'COMPLETED'"
_BAD_EVENTS = """SELECT count(*) FROM executions e WHERE last_seq <>
    (SELECT count(*) FROM execution_events v WHERE v.execution_id = e.id)"""
_STEPS = "SELECT count(*) FROM step_executions WHERE status = 'COMPLETED'"
_LOW_LOAD_CALLS = 150

console = Console()


def main() -> None:
    """Measure what was asked for and print tables."""
    others = {"graphql": graphql.main, "sockets": sockets.main, "starts": starts.main}
    if sys.argv[1:2] and sys.argv[1] in others:
        others[sys.argv[1]](sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    options = parser.parse_args()
    if options.only != "postgres":
        measure_sqlite(options.count, options.connections)
    if options.only != "sqlite":
        measure_postgres(options.count, options.connections)


def measure_sqlite(count: int, connections: int) -> None:
    """Measure `promptpilot up`, in both durability modes of SQLite."""
    for synchronous in ("FULL", "NORMAL"):
        limit = machine.sqlite_commits(synchronous)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            env = {
                "PROMPTPILOT_DATA_DIR": name,
                "PROMPTPILOT_SQLITE_SYNCHRONOUS": synchronous,
                "PROMPTPILOT_REGISTRATION": "open",
                "DATABASE_URL": f"sqlite://{folder / 'bench.db'}",
            }

            def query(sql: str, path: Path = folder / "bench.db") -> list[tuple]:
                connection = sqlite3.connect(path, timeout=20)
                rows = connection.execute(sql).fetchall()
                connection.close()
                return rows

            with running(["up"], env, folder / "log") as target:
                report(
                    f"SQLite {synchronous}, one process", target, query, limit, count, connections
                )


def measure_postgres(count: int, connections: int) -> None:
    """Measure one API process and one worker on PostgreSQL (fsync on) and Redis."""
    server = PostgresServer.create({"fsync": "on", "full_page_writes": "on", "autovacuum": "on"})
    redis = RedisServer.create()
    try:
        create_empty(server.url(), "bench")
        url = server.url("bench")
        asyncio.run(migrate(url))
        limit = asyncio.run(machine.postgres_commits(url, 1))
        many = asyncio.run(machine.postgres_commits(url, 16))
        jobs = asyncio.run(machine.arq_jobs(Path(redis.socket)))
        console.print(
            f"PostgreSQL: {limit:,.0f} commits/s on one connection, {many:,.0f} on sixteen; "
            f"arq as it comes: {jobs:,.0f} empty jobs/s"
        )
        with tempfile.TemporaryDirectory() as name:
            env = {
                "PROMPTPILOT_DATA_DIR": name,
                "DATABASE_URL": url,
                "REDIS_URL": redis.url,
                "PROMPTPILOT_REGISTRATION": "open",
            }

            def query(sql: str) -> list[tuple]:
                return asyncio.run(_query(url, sql))

            with running(["serve", "worker"], env, Path(name) / "log") as target:
                report("PostgreSQL, serve + worker", target, query, limit, count, connections)
    finally:
        redis.remove()
        server.remove()


async def _query(url: str, sql: str) -> list[tuple]:
    connection = await asyncpg.connect(url)
    rows = [tuple(row) for row in await connection.fetch(sql)]
    await connection.close()
    return rows


def report(
    title: str, target: Target, query: Query, commits: float, count: int, connections: int
) -> None:
    """Run the load, check every execution in the database, and print one table."""
    before = query(_DONE)[0][0]
    started = time.perf_counter()
    load = asyncio.run(post_webhooks(target.webhook, target.secret, count, connections))
    until_done(query, before + len(load.execution_ids))
    rate = len(load.execution_ids) / (time.perf_counter() - started)
    slow = low_load(target, query)
    table = Table(title=title)
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_row("commits/s of the machine", f"{commits:,.0f}")
    table.add_row("accepted/s", f"{load.rate:,.0f}")
    table.add_row("executions/s, accepted to completed", f"{rate:,.0f}")
    table.add_row("… as a share of the commits/s", f"{rate / commits:.2f}")
    table.add_row("acceptance under load, p50 / p99 ms", _percentiles(load.latencies))
    table.add_row("trigger → completion at low load, p50 / p99 ms", _percentiles(slow))
    memory = " + ".join(f"{each:.0f}" for each in target.memory_mib())
    table.add_row("memory MiB", memory)
    table.add_row("refused", f"{len(load.refused)} {load.refused[:1] or ''}")
    steps, bad = query(_STEPS)[0][0], query(_BAD_EVENTS)[0][0]
    table.add_row("steps stored; executions with a gap in their events", f"{steps}; {bad}")
    console.print(table)


def low_load(target: Target, query: Query) -> list[float]:
    """Return seconds from creation to completion of calls sent one after the other."""
    before = query(_DONE)[0][0]  # the example of a first start waits for a person
    sent = Result()
    for _ in range(_LOW_LOAD_CALLS):
        one = asyncio.run(post_webhooks(target.webhook, target.secret, 1, 1))
        sent.execution_ids += one.execution_ids
        time.sleep(0.02)
    ids = ", ".join(f"'{each}'" for each in sent.execution_ids)
    until_done(query, before + len(sent.execution_ids))
    rows = query(f"SELECT finished_at - created_at FROM executions WHERE id IN ({ids})")
    return [row[0] / 1000 for row in rows]


def until_done(query: Query, wanted: int) -> None:
    """Wait until that many executions are completed; give up after two minutes."""
    until = time.monotonic() + 120
    while query(_DONE)[0][0] < wanted:
        if time.monotonic() > until:
            raise RuntimeError(f"only {query(_DONE)} of {wanted} executions are completed")
        time.sleep(0.02)


def _percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"{p50 * 1000:.1f} / {p99 * 1000:.1f}"


if __name__ == "__main__":
    main()
