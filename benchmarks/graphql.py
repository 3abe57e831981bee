"""Processor time of one GraphQL operation, beside a plain Starlette endpoint and graphql-yoga.

Usage: python -m benchmarks graphql [--count 3000]

Also prints how long hostile documents take to be refused. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from promptpilot.front.cost import Sizes
from promptpilot.front.documents import Documents
from promptpilot.front.errors import Refused
from promptpilot.front.limits import Limits
from tests.front.sample import schema
from tests.front.test_abuse import DOCUMENTS
from tests.support.node import NodeServer
from tests.support.processes import free_port

FIELDS = "id name note status count ratio isGood createdAt"
OPERATIONS = {
    "hello": "{ hello }",
    "50 x 8 list": f"{{ items {{ {FIELDS} }} }}",
    "mutation": 'mutation { rename(name: "Ada") }',
}
_CONNECTIONS = 8
_WARM = 300

console = Console()


@dataclass
class Measured:
    """What one operation took: seconds of the server's processor, and operations a second."""

    cpu: float
    rate: float


def main(arguments: list[str]) -> None:
    """Measure all servers in turn, three times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    count = parser.parse_args(arguments).count
    with (
        tempfile.TemporaryDirectory() as name,
        python_server() as fast,
        python_server("stock") as stock,
    ):
        yoga = NodeServer.start("yoga.mjs", Path(name))
        try:
            _report(_measure_all({"front": fast[0], "stock": stock[0], "yoga": yoga.port}, count))
        finally:
            yoga.stop()
    _report_refusals()


@contextmanager
def python_server(*flags: str) -> Iterator[tuple[int, int]]:
    """Run the server of `benchmarks.graphql_server`; give its port and its process id."""
    port = int(free_port())
    command = [sys.executable, "-m", "benchmarks.graphql_server", str(port), *flags]
    process = subprocess.Popen(command, env={**os.environ}, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                _cpu(port)
                break
            except OSError:
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def _measure_all(ports: dict[str, int], count: int) -> dict[tuple[str, str], Measured]:
    runs: dict[tuple[str, str], list[Measured]] = {}
    for _ in range(3):
        for what, query in OPERATIONS.items():
            for server, port in ports.items():
                run = asyncio.run(_measure(port, "/graphql", query, count))
                runs.setdefault((what, server), []).append(run)
        plain = asyncio.run(_measure(ports["front"], "/plain", "{ hello }", count))
        runs.setdefault(("hello", "plain"), []).append(plain)
    return {
        key: Measured(
            statistics.median(each.cpu for each in found),
            statistics.median(each.rate for each in found),
        )
        for key, found in runs.items()
    }


async def _measure(port: int, path: str, query: str, count: int) -> Measured:
    body = json.dumps({"query": query}).encode()
    request = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
    await _send(port, request, _WARM)
    cpu, started = await asyncio.to_thread(_cpu, port), time.perf_counter()
    await _send(port, request, count)
    elapsed = time.perf_counter() - started
    return Measured((await asyncio.to_thread(_cpu, port) - cpu) / count, count / elapsed)


async def _send(port: int, request: bytes, count: int) -> None:
    left = iter(range(count))
    await asyncio.gather(*(_sender(port, request, left) for _ in range(_CONNECTIONS)))


async def _sender(port: int, request: bytes, left: Iterator[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in left:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head[:20], head
        lengths = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        await reader.readexactly(int(lengths[0].split(b":")[1]))
    writer.close()


def _cpu(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/cpu", timeout=5) as answer:
        return float(answer.read())


def _report(found: dict[tuple[str, str], Measured]) -> None:
    table = Table(title="GraphQL over HTTP, µs of the server's processor (operations/s)")
    names = {
        "front": "front",
        "stock": "front, stock executor",
        "plain": "plain Starlette",
        "yoga": "graphql-yoga",
    }
    for heading in ("", *names.values()):
        table.add_column(heading, justify="right")
    for what in OPERATIONS:
        cells = [found.get((what, server)) for server in names]
        shown = [f"{each.cpu * 1e6:,.0f} ({each.rate:,.0f})" if each else "" for each in cells]
        table.add_row(what, *shown)
    console.print(table)


def _report_refusals() -> None:
    table = Table(title="Hostile documents, ms until they are refused")
    table.add_column("document")
    table.add_column("ms", justify="right")
    for name, text in DOCUMENTS.items():
        started = time.perf_counter()
        try:
            Documents(schema, Limits(), Sizes()).get(text)
        except Refused:
            table.add_row(name, f"{(time.perf_counter() - started) * 1000:.1f}")
    console.print(table)
