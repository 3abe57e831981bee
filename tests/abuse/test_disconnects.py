"""Proves that clients who hang up in the middle of a mutation leave no connection and no lock."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import httpx2

from tests.abuse.conftest import Site
from tests.abuse.raw import frame, line, request

DISCONNECTS = 1000
SOCKETS = 300
AT_ONCE = 25
MUTATION = """mutation { createWorkflow(input: { name: "Left", steps: [
  { name: "one", config: { transform: { set: { n: "1" } } } }
] }) { workflow { id } errors { message } } }"""


async def test_a_thousand_disconnects_leave_nothing_behind(site: Site) -> None:
    choice = random.Random(7)  # noqa: S311 -- the same disconnects at every run
    body = json.dumps({"query": MUTATION}).encode()
    sent = request(body, f"authorization: Bearer {site.token}")

    for _ in range(DISCONNECTS // AT_ONCE):
        await asyncio.gather(*(_hang_up(site, sent, choice) for _ in range(AT_ONCE)))
        assert (await _ask(site, MUTATION))["data"]

    answers = await asyncio.gather(*(_ask(site, MUTATION) for _ in range(20)))
    assert all(answer["data"]["createWorkflow"]["workflow"]["id"] for answer in answers)
    found = await _ask(site, "{ workflows(first: 1) { totalCount nodes { steps { name } } } }")
    assert found["data"]["workflows"]["totalCount"] >= 20
    assert found["data"]["workflows"]["nodes"] == [{"steps": [{"name": "one"}]}]


async def test_sockets_that_vanish_leave_nothing_behind(site: Site) -> None:
    choice = random.Random(8)  # noqa: S311 -- the same disconnects at every run
    token = {"authorization": f"Bearer {site.token}"}
    init = frame(json.dumps({"type": "connection_init", "payload": token}).encode())
    subscribe = frame(
        json.dumps({"type": "subscribe", "id": "1", "payload": {"query": MUTATION}}).encode()
    )

    for _ in range(SOCKETS // AT_ONCE):
        await asyncio.gather(*(_vanish(site, init + subscribe, choice) for _ in range(AT_ONCE)))
        assert (await _ask(site, MUTATION))["data"]

    found = await _ask(site, "{ workflows(first: 40) { nodes { steps { name } } } }")
    assert all(each["steps"] == [{"name": "one"}] for each in found["data"]["workflows"]["nodes"])


async def _vanish(site: Site, sent: bytes, choice: random.Random) -> None:
    async with line(site.port) as client:
        await client.upgrade()
        await client.send(sent)
        for _ in range(choice.randrange(200)):
            await asyncio.sleep(0)
        await client.abort()


async def _hang_up(site: Site, sent: bytes, choice: random.Random) -> None:
    async with line(site.port) as client:
        await client.send(sent)
        for _ in range(choice.randrange(40)):  # so many turns of the loop later, wherever that is
            await asyncio.sleep(0)
        await client.abort()


async def _ask(site: Site, query: str) -> Any:
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
        response = await client.post(
            f"http://127.0.0.1:{site.port}/graphql",
            json={"query": query},
            headers={"authorization": f"Bearer {site.token}"},
        )
    return response.json()
