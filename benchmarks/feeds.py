"""What subscriptions cost the whole product, and queries after many clients hung up."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from pathlib import Path

from benchmarks.printing import mib, show
from benchmarks.servers import Target, ask, running
from benchmarks.socket_client import end, open_clients, until
from benchmarks.watched import Watched
from tests.abuse.raw import line, request

_FEED = "subscription { executionFeed { cursor toStatus } }"
_FOLLOW = 'subscription { executionEvents(executionId: "%s") { __typename cursor } }'
_START = """mutation ($id: ID!, $at: DateTime) {
  startExecution(input: { workflowId: $id, input: { payload: { title: "t" } }, startAt: $at }) {
    execution { id } errors { message } } }"""
_QUERY = "{ workflows(first: 20) { nodes { id name } } }"
_MUTATION = """mutation { createWorkflow(input: { name: "Left", steps: [
  { name: "one", config: { transform: { set: { n: "1" } } } }
] }) { workflow { id } errors { message } } }"""
_UNLIMITED = {
    "PROMPTPILOT_GRAPHQL_SOCKETS": "0",
    "PROMPTPILOT_GRAPHQL_SUBSCRIPTIONS": "0",
    "PROMPTPILOT_GRAPHQL_RATE": "0",
    "PROMPTPILOT_REGISTRATION": "open",
}
_IDLE_SECONDS = 5.0
_DISCONNECTS = 1000
_AT_ONCE = 25
_ASKED = 20


def main(count: int, starts: int) -> None:
    """Measure `promptpilot up` and print a table."""
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite://{Path(name) / 'bench.db'}"
        env = {"PROMPTPILOT_DATA_DIR": name, "DATABASE_URL": url, **_UNLIMITED}
        with running(["up"], env, Path(name) / "log") as target:
            show("The product, SQLite", asyncio.run(_measure(target, count, starts)))


async def _measure(target: Target, count: int, starts: int) -> dict[str, str]:
    server = Watched(int(target.base.rpartition(":")[2]), target.processes[0].pid)
    return {
        **await _events(server, target, count),
        **await _feed(server, target, count, starts),
        **await _disconnects(server, target),
    }


async def _events(server: Watched, target: Target, count: int) -> dict[str, str]:
    """Follow one execution that waits, with many sockets; then cancel it."""
    (execution_id,) = _start(target, 1, "2027-01-01T00:00:00Z")
    before = server.memory()
    clients = await open_clients(server.port, [_FOLLOW % execution_id] * count, _init(target))
    for client in clients:
        client.read()
    await until(lambda: all(client.answers >= 1 for client in clients))
    memory, cpu = (server.memory() - before) / count, server.cpu()
    await asyncio.sleep(_IDLE_SECONDS)
    idle = (server.cpu() - cpu) / _IDLE_SECONDS
    await end(clients)
    return {
        f"memory of each of {count} sockets that follow an execution": f"{memory / 1024:.1f} KiB",
        "processor while all of them wait": f"{idle:.0%}",
    }


async def _feed(server: Watched, target: Target, count: int, starts: int) -> dict[str, str]:
    clients = await open_clients(server.port, [_FEED] * count, _init(target))
    for client in clients:
        client.read()
    await asyncio.sleep(1)
    cpu = server.cpu()
    await asyncio.to_thread(_start, target, starts, None)
    await until(lambda: all(client.answers >= 2 * starts for client in clients))
    answers = sum(client.answers for client in clients)
    each = (server.cpu() - cpu) / answers
    await end(clients)
    return {f"processor time of each of {answers} deliveries of a feed": f"{each * 1e6:.0f} µs"}


def _start(target: Target, count: int, at: str | None) -> list[str]:
    variables = {"id": target.workflow_id, "at": at}
    answers = [ask(target.base, target.token, _START, variables) for _ in range(count)]
    return [answer["startExecution"]["execution"]["id"] for answer in answers]


async def _disconnects(server: Watched, target: Target) -> dict[str, str]:
    choice, before = random.Random(7), await _slowest(server, target)
    sent, behind = _request(target, _MUTATION), []
    for _ in range(_DISCONNECTS // _AT_ONCE):
        await asyncio.gather(*(_hang_up(server, sent, choice) for _ in range(_AT_ONCE)))
        behind.append(await _slowest(server, target, 1))  # their mutations are carried out first
    what = f"slowest query right behind {_AT_ONCE} who hung up in a mutation, {len(behind)} times"
    return {
        f"slowest of {_ASKED} queries before": f"{before * 1000:.1f} ms",
        what: f"{max(behind) * 1000:.1f} ms",
        f"slowest of {_ASKED} queries after {_DISCONNECTS} disconnects": (
            f"{await _slowest(server, target) * 1000:.1f} ms"
        ),
        "memory then": mib(server.memory()),
    }


async def _hang_up(server: Watched, sent: bytes, choice: random.Random) -> None:
    async with line(server.port) as client:
        await client.send(sent)
        await asyncio.sleep(choice.random() / 50)
        await client.abort()


async def _slowest(server: Watched, target: Target, count: int = _ASKED) -> float:
    took = []
    for _ in range(count):
        started = time.perf_counter()
        async with line(server.port) as client:
            await client.send(_request(target, _QUERY))
            assert await client.status() == 200
        took.append(time.perf_counter() - started)
    return max(took)


def _request(target: Target, query: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    return request(body, f"authorization: Bearer {target.token}")


def _init(target: Target) -> dict[str, str]:
    return {"authorization": f"Bearer {target.token}"}
