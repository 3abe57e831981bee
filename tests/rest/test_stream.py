"""The events of an execution are streamed as they happen, each once, until the final one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from promptpilot.app import create_app
from promptpilot.rest.shapes import SHAPES
from promptpilot.stopping import SERVER_STOPS
from tests.rest.conftest import Site
from tests.support.finished import finished

_SOON = 5.0
_INPUT = {"payload": {"n": 1}}


@dataclass
class Ear:
    """A caller who takes a stream message by message, and may go away."""

    sent: asyncio.Queue[MutableMapping[str, Any]] = field(default_factory=asyncio.Queue)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    stops: asyncio.Event = field(default_factory=asyncio.Event)
    is_asked: bool = False

    async def receive(self) -> dict[str, Any]:
        """Give the empty body, then nothing until the caller goes."""
        if not self.is_asked:
            self.is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take what is sent."""
        await self.sent.put(message)

    async def until(self, text: bytes) -> bytes:
        """Return what comes, up to the piece with `text` in it."""
        heard = b""
        async with asyncio.timeout(_SOON):
            while text not in heard:
                heard += (await self.sent.get()).get("body", b"")
        return heard


@asynccontextmanager
async def listening(site: Site, execution_id: str) -> AsyncIterator[tuple[Ear, asyncio.Task[None]]]:
    """Give an ear at the stream of an execution, and the task that serves it."""
    ear = Ear()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/api/executions/{execution_id}/events",
        "query_string": b"",
        "headers": [(b"authorization", site.authorization["authorization"].encode())],
        "client": None,
        "server": ("site", 80),
        "state": {SERVER_STOPS: ear.stops},
    }
    app = create_app(site.backbone, site.engine)
    serving = asyncio.ensure_future(app(scope, ear.receive, ear.send))
    yield ear, serving
    ear.gone.set()
    await serving


async def _start(site: Site) -> str:
    launched = await site.engine.start_execution(site.principal, site.workflow_id, _INPUT)
    return launched.execution_id


async def _read(site: Site, execution_id: str, last_id: str | bytes | None = None) -> Any:
    headers: dict[str, Any] = {} if last_id is None else {"last-event-id": last_id}
    path = f"/api/executions/{execution_id}/events"
    return await site.client.get(path, headers=site.authorization | headers)


def _events(text: str) -> list[dict[str, str]]:
    """Return the fields of each event, comments left out."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    fields = [dict(line.split(": ", 1) for line in block if line[0] != ":") for block in blocks]
    return [each for each in fields if each]


async def test_what_was_stored_is_replayed_with_its_numbers(site: Site) -> None:
    execution_id = await finished(site.backbone.committer, site.principal, {"n": 1})

    response = await _read(site, execution_id)

    events = _events(response.text)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert [each["id"] for each in events] == [str(n + 1) for n in range(len(events))]
    documents = [json.loads(each["data"]) for each in events]
    assert documents[-1]["toStatus"] == "COMPLETED"
    assert all(set(each) == set(SHAPES["ExecutionEvent"]["properties"]) for each in documents)


async def test_a_stream_goes_on_after_the_event_that_was_seen_last(site: Site) -> None:
    execution_id = await finished(site.backbone.committer, site.principal, {"n": 1})
    everything = _events((await _read(site, execution_id)).text)

    for number in range(len(everything)):
        rest = _events((await _read(site, execution_id, str(number))).text)
        assert rest == everything[number:]


async def test_who_saw_the_final_event_need_not_come_again(site: Site) -> None:
    execution_id = await finished(site.backbone.committer, site.principal, {"n": 1})
    last = _events((await _read(site, execution_id)).text)[-1]["id"]

    response = await _read(site, execution_id, last)

    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("last_id", ["x", "-1", "1.5", "9" * 20, b"\xb2"])
async def test_a_number_that_is_none_is_refused(site: Site, last_id: str | bytes) -> None:
    execution_id = await _start(site)

    response = await _read(site, execution_id, last_id)

    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["path"] == "Last-Event-ID"


async def test_what_happens_is_told_at_once_and_the_stream_ends_with_it(site: Site) -> None:
    execution_id = await _start(site)

    async with listening(site, execution_id) as (ear, serving):
        await ear.until(b"PENDING")
        await site.engine.cancel_execution(site.principal, execution_id)
        told = await ear.until(b"CANCELLED")
        async with asyncio.timeout(_SOON):
            await serving

    assert _events(told.decode())[-1]["event"] == "EXECUTION_STATUS_CHANGED"


async def test_a_stream_is_closed_when_its_reader_goes(site: Site) -> None:
    execution_id = await _start(site)

    async with listening(site, execution_id) as (ear, serving):
        await ear.until(b"PENDING")
        ear.gone.set()
        async with asyncio.timeout(1.0):
            await serving


async def test_a_stream_ends_whole_when_its_server_is_to_stop(site: Site) -> None:
    execution_id = await _start(site)

    async with listening(site, execution_id) as (ear, serving):
        await ear.until(b"PENDING")
        ear.stops.set()
        async with asyncio.timeout(1.0):
            await serving

    *_, last = [ear.sent.get_nowait() for _ in range(ear.sent.qsize())]
    assert last == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_the_head_of_a_stream_comes_without_it(site: Site) -> None:
    execution_id = await _start(site)
    path = f"/api/executions/{execution_id}/events"

    response = await site.client.head(path, headers=site.authorization)

    assert (response.status_code, response.content) == (200, b"")
