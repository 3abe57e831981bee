"""Proves that work ends when its client goes away, except that a mutation is carried out."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from promptpilot.front.limits import Limits
from promptpilot.front.presence import to_its_end, while_present
from tests.abuse import raw
from tests.front.endpoint import Front, serving
from tests.front.sample import Probe


class Client:
    """A client that goes away when it is told to; `work` waits without end, or answers."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.begun = asyncio.Event()
        self.is_cancelled = False

    @property
    def request(self) -> Request:
        """Return its request."""
        return Request({"type": "http", "method": "POST", "headers": []}, self._receive)

    async def work(self) -> str:
        """Wait to be cancelled."""
        self.begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        return "never"

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def answer() -> str:
    """Answer at once."""
    return "answer"


async def fail() -> str:
    """Fail at once."""
    raise ValueError("broken")


async def test_work_is_cancelled_when_its_client_goes_away() -> None:
    client = Client()
    waiting = asyncio.create_task(while_present(client.request, client.work()))
    await client.begun.wait()

    client.gone.set()

    with pytest.raises(ClientDisconnect):
        await waiting
    assert client.is_cancelled


async def test_work_is_cancelled_with_whoever_waits_for_it() -> None:
    client = Client()
    waiting = asyncio.create_task(while_present(client.request, client.work()))
    await client.begun.wait()

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert client.is_cancelled


async def test_an_answer_is_returned_to_a_client_that_stays() -> None:
    assert await while_present(Client().request, answer()) == "answer"


async def test_a_failure_is_raised_to_a_client_that_stays() -> None:
    with pytest.raises(ValueError, match="broken"):
        await while_present(Client().request, fail())


async def test_an_operation_that_takes_long_ends_with_its_connection(probe: Probe) -> None:
    front = Front(probe, Limits(patience={"stuck": timedelta(seconds=60)}))

    async with serving(front) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request("{ stuck }"))
        async with asyncio.timeout(20):
            await probe.opened.wait()
        writer.close()

        await probe.source_closed()


async def test_only_operations_that_may_take_long_have_more_time(probe: Probe) -> None:
    limits = Limits(timeout=timedelta(milliseconds=20), patience={"hello": timedelta(seconds=60)})
    front = Front(probe, limits)

    alone = await front.ask("{ hello }")
    beside = await front.ask("{ hello stuck }")

    assert (alone.status_code, beside.status_code) == (200, 503)


async def test_the_longer_time_has_an_end(probe: Probe) -> None:
    front = Front(probe, Limits(patience={"stuck": timedelta(milliseconds=20)}))

    response = await front.ask("{ stuck }")

    assert response.json()["errors"][0]["extensions"]["code"] == "TIMEOUT"


def request(query: str) -> bytes:
    """Return an HTTP request with a query."""
    body = json.dumps({"query": query}).encode()
    head = "POST /graphql HTTP/1.1\r\nHost: front\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def test_work_that_must_end_is_not_cancelled_however_often_it_is_tried() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    waiting = asyncio.create_task(to_its_end(work()))
    await begun.wait()
    for _ in range(3):
        waiting.cancel()
        await asyncio.sleep(0)
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


async def test_work_that_must_end_hands_back_what_comes_of_it() -> None:
    assert await to_its_end(answer()) == "answer"
    with pytest.raises(ValueError, match="broken"):
        await to_its_end(fail())


async def test_a_failure_that_nobody_waits_for_is_dropped() -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await may_end.wait()
        raise ValueError("broken")

    waiting = asyncio.create_task(to_its_end(work()))
    await begun.wait()
    waiting.cancel()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting


STORE = 'mutation { store(name: "a") }'


async def test_a_mutation_on_a_socket_is_carried_out_when_its_client_leaves(probe: Probe) -> None:
    async with serving(Front(probe)) as server:
        async with server.open() as wire:
            await wire.introduce()
            await wire.subscribe(STORE)
            await probe.opened.wait()
            wire.connection.transport.abort()
        probe.may_store.set()

        await probe.source_closed()

    assert probe.stored == ["a"]


async def test_a_mutation_that_is_completed_early_is_carried_out_without_an_answer(
    probe: Probe,
) -> None:
    async with serving(Front(probe)) as server, server.open() as wire:
        await wire.introduce()
        await wire.subscribe(STORE, id="a")
        await probe.opened.wait()
        await wire.send({"type": "complete", "id": "a"})
        await wire.send({"type": "ping"})
        assert await wire.receive() == {"type": "pong"}

        probe.may_store.set()
        await probe.source_closed()
        await wire.subscribe("{ hello }", id="a")

        assert (await wire.receive())["payload"]["data"] == {"hello": "Hello, world!"}


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_mutation_over_http_is_carried_out_when_its_client_leaves(
    probe: Probe, accept: str
) -> None:
    body = json.dumps({"query": STORE}).encode()
    async with serving(Front(probe)) as server:
        async with raw.line(server.port) as client:
            await client.send(raw.request(body, f"accept: {accept}"))
            await probe.opened.wait()
            await client.abort()
        probe.may_store.set()

        await probe.source_closed()

    assert probe.stored == ["a"]
