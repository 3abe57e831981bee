"""What sockets cost a server, and what is left of clients that stall, vanish or are hostile.

Usage: python -m benchmarks sockets [--count 1000] [--rings 20] [--followers 200]

First the front on a schema in memory with `count` sockets, then the whole product on SQLite with
`followers`, where deliveries also read the database. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

from benchmarks import feeds
from benchmarks.graphql import python_server
from benchmarks.printing import mib, show
from benchmarks.socket_client import Client, end, open_clients, until
from benchmarks.watched import Watched
from tests.abuse.raw import line, request
from tests.abuse.test_bytes import FRAMES, REQUESTS
from tests.front.test_abuse import BODIES, DOCUMENTS

_TICKS = "subscription { ticks { id name status } }"
_FLOOD = "subscription { flood(size: 50000) }"
_KILLED = 100
_STALLED = 20
_STALL_SECONDS = 5.0


def main(arguments: list[str]) -> None:
    """Measure the front, then the product, and print one table for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rings", type=int, default=20)
    parser.add_argument("--followers", type=int, default=200)
    options = parser.parse_args(arguments)
    with python_server() as (port, pid):
        server = Watched(port, pid)
        show("Sockets on the front, schema in memory", asyncio.run(_front(server, options)))
    feeds.main(options.followers, options.rings)


async def _front(server: Watched, options: argparse.Namespace) -> dict[str, str]:
    warm = await open_clients(server.port, [_TICKS] * 50)  # what is made once is made here
    await _ring(server, warm, 1)
    await end(warm)
    return {
        **await _sockets(server, options.count, options.rings),
        **await _killed(server),
        **await _stalled(server),
        **await _hostile(server),
    }


async def _sockets(server: Watched, count: int, rings: int) -> dict[str, str]:
    before = server.memory()
    clients = await open_clients(server.port, [_TICKS] * count)
    await until(lambda: _ask(server, "open") == str(count))
    memory = (server.memory() - before) / count
    cpu = server.cpu()
    await _ring(server, clients, rings)
    cpu = (server.cpu() - cpu) / (rings * count)
    await end(clients)
    return {
        f"memory of each of {count} sockets with a subscription": f"{memory / 1024:.1f} KiB",
        f"processor time of each of {rings * count} deliveries": f"{cpu * 1e6:.0f} µs",
    }


async def _ring(server: Watched, clients: list[Client], rings: int) -> None:
    for client in clients:
        client.read()
    for ring in range(1, rings + 1):
        await asyncio.to_thread(_ask, server, "ring")
        await until(lambda ring=ring: all(each.answers >= ring for each in clients))  # type: ignore[misc] # of this round


async def _killed(server: Watched) -> dict[str, str]:
    command = [sys.executable, "-m", "benchmarks.socket_client", str(server.port), str(_KILLED)]
    process = subprocess.Popen(command)  # noqa: ASYNC220 -- it is there at once
    try:
        await until(lambda: _ask(server, "open") == str(_KILLED))
    finally:
        process.kill()
    started = time.perf_counter()
    await until(lambda: _ask(server, "open") == "0")
    took = time.perf_counter() - started
    process.wait()
    return {
        f"until {_KILLED} sources of a client killed with -9 are closed": f"{took * 1000:.0f} ms"
    }


async def _stalled(server: Watched) -> dict[str, str]:
    before = server.memory()
    server.forget_peak()
    clients = await open_clients(server.port, [_FLOOD] * _STALLED)
    await asyncio.sleep(_STALL_SECONDS)
    peak = server.peak() - before
    await end(clients)
    what = f"memory for {_STALLED} readers who stall, in {_STALL_SECONDS:g} s"
    return {what: mib(peak)}


async def _hostile(server: Watched) -> dict[str, str]:
    before = server.memory()
    server.forget_peak()
    slowest = 0.0
    for sent, is_socket in _attacks():
        started = time.perf_counter()
        async with line(server.port) as client:
            if is_socket:
                await client.upgrade()
            await client.send(sent)
            await (client.close_code() if is_socket else client.status())
        slowest = max(slowest, time.perf_counter() - started)
    return {
        "memory for hostile requests at their worst": mib(server.peak() - before),
        "the slowest of them": f"{slowest * 1000:.0f} ms",
    }


def _attacks() -> Iterator[tuple[bytes, bool]]:
    yield from (
        (request(json.dumps({"query": text}).encode()), False) for text in DOCUMENTS.values()
    )
    yield from ((request(body), False) for body in BODIES.values())
    yield from ((sent, False) for sent in REQUESTS.values())
    yield from ((sent, True) for sent, _ in FRAMES.values())


def _ask(server: Watched, what: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/{what}", timeout=30) as answer:
        return str(answer.read().decode())
