"""Executions that one process accepts in a second over GraphQL, and its processor time for each.

Usage: python -m benchmarks starts [--count 3000] [--connections 16]

PostgreSQL with fsync on, one `serve` and no worker, so that nothing but accepting is measured; the
machine's own commits a second beside it. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from benchmarks import machine
from benchmarks.printing import show
from benchmarks.servers import Target, running
from benchmarks.watched import Watched
from promptpilot.models.migrate import migrate
from tests.abuse.raw import request
from tests.support.postgres import PostgresServer, create_empty
from tests.support.redis import RedisServer

_START = """mutation Start($input: StartExecutionInput!) { startExecution(input: $input) {
  execution { id status } errors { message } } }"""
_WARM = 200


def main(arguments: list[str]) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args(arguments)
    server = PostgresServer.create({"fsync": "on", "full_page_writes": "on", "autovacuum": "on"})
    redis = RedisServer.create()
    try:
        create_empty(server.url(), "bench")
        url = server.url("bench")
        asyncio.run(migrate(url))
        commits = asyncio.run(machine.postgres_commits(url, 16))
        with tempfile.TemporaryDirectory() as name:
            env = {
                "PROMPTPILOT_DATA_DIR": name,
                "DATABASE_URL": url,
                "REDIS_URL": redis.url,
                "PROMPTPILOT_REGISTRATION": "open",
                "PROMPTPILOT_GRAPHQL_RATE": "0",
                "PROMPTPILOT_GRAPHQL_ANONYMOUS_RATE": "0",
            }
            with running(["serve"], env, Path(name) / "log") as target:
                rows = asyncio.run(_measure(target, url, options))
        show(
            "startExecution over GraphQL: processor time of each (a second)",
            {"commits/s of the machine": f"{commits:,.0f}", **rows},
        )
    finally:
        redis.remove()
        server.remove()


async def _measure(target: Target, url: str, options: argparse.Namespace) -> dict[str, str]:
    server = Watched(int(target.base.rpartition(":")[2]), target.processes[0].pid)
    rows = {}
    for what, sent in _requests(target).items():
        await _send(server.port, sent, _WARM, options.connections)
        cpu, started = server.cpu(), time.perf_counter()
        await _send(server.port, sent, options.count, options.connections)
        rate = options.count / (time.perf_counter() - started)
        cpu = (server.cpu() - cpu) / options.count
        rows[what] = f"{cpu * 1e6:,.0f} µs ({rate:,.0f}/s)"
    return {**rows, "stored": f"{await _stored(url)} of {options.count + _WARM}"}


async def _send(port: int, sent: bytes, count: int, connections: int) -> None:
    left = iter(range(count))
    await asyncio.gather(*(_sender(port, sent, left) for _ in range(connections)))


async def _sender(port: int, sent: bytes, left: Iterator[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in left:
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        answer = await reader.readexactly(int(lengths[0].split(b":")[1]))
        assert b'"errors":[{' not in answer, answer
    writer.close()


def _requests(target: Target) -> dict[str, bytes]:
    given = {"workflowId": target.workflow_id, "input": {"payload": {"title": "It crashes"}}}
    hello = json.dumps({"query": "{ __typename }"}).encode()
    start = json.dumps({"query": _START, "variables": {"input": given}}).encode()
    token = f"authorization: Bearer {target.token}"
    return {
        "nothing, by nobody": request(hello),
        "nothing, by somebody": request(hello, token),
        "startExecution": request(start, token),
    }


async def _stored(url: str) -> int:
    connection = await asyncpg.connect(url)
    count = await connection.fetchval("SELECT count(*) FROM executions")
    await connection.close()
    return int(count)
