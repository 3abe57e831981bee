"""Proves that a client process which is killed in the middle of a stream leaves no listener."""

from __future__ import annotations

import base64
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from promptpilot.example import workflow_draft
from promptpilot.local_bells import LocalFeed
from tests.abuse.conftest import Site
from tests.abuse.raw import UPGRADE, frame, request
from tests.support.children import start_child, stop_child
from tests.support.waiting import wait_until

_ROOT = Path(__file__).parents[2]
_STARTED_SECONDS = 20.0
_GONE_SECONDS = 2.0
_FEED = "subscription { executionFeed { sequence } }"
_EVENTS = 'subscription { executionEvents(executionId: "%s") { sequence } }'

#: What a client sends to watch: the parts of it, each after an answer to the one before.
Door = Callable[[Site, str], list[bytes]]


def _over_a_socket(query: str) -> Door:
    def parts(site: Site, execution_id: str) -> list[bytes]:
        asked = {"query": query.replace("%s", execution_id)}
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {site.token}"}}
        messages = [init, {"type": "subscribe", "id": "1", "payload": asked}]
        return [UPGRADE, *(frame(json.dumps(each).encode()) for each in messages)]

    return parts


def _over_http(query: str) -> Door:
    def parts(site: Site, execution_id: str) -> list[bytes]:
        body = json.dumps({"query": query.replace("%s", execution_id)}).encode()
        token = f"authorization: Bearer {site.token}"
        return [request(body, token, "accept: text/event-stream")]

    return parts


def _over_rest(site: Site, execution_id: str) -> list[bytes]:
    lines = [
        f"GET /api/executions/{execution_id}/events HTTP/1.1",
        "host: front",
        f"authorization: Bearer {site.token}",
    ]
    return ["\r\n".join([*lines, "", ""]).encode()]


DOORS = {
    "socket, feed": _over_a_socket(_FEED),
    "socket, events": _over_a_socket(_EVENTS),
    "SSE, feed": _over_http(_FEED),
    "SSE, events": _over_http(_EVENTS),
    "REST": _over_rest,
}


@contextmanager
def _watching(site: Site, parts: list[bytes], folder: Path) -> Iterator[Callable[[], None]]:
    """Start a process that watches; give what kills it."""
    told = [base64.b64encode(part).decode() for part in parts]
    program = str(_ROOT / "tests" / "abuse" / "watcher.py")
    child = start_child([sys.executable, program, str(site.port), *told], folder / "watcher.log")
    try:
        yield lambda: stop_child(child, signal.SIGKILL)
    finally:
        stop_child(child, signal.SIGKILL)


async def _until_heard_by(feed: LocalFeed, count: int, within: float) -> None:
    async def is_so() -> bool:
        return len(feed) == count

    await wait_until(is_so, within, lambda: f"{len(feed)} listen")


@pytest.mark.parametrize("door", DOORS)
async def test_a_client_that_is_killed_in_the_middle_of_a_stream_leaves_no_listener(
    door: str, site: Site, tmp_path: Path
) -> None:
    workflow = await site.engine.create_workflow(site.principal, workflow_draft())
    given = {"payload": {"n": 1}}
    launched = await site.engine.start_execution(site.principal, workflow.id, given)

    with _watching(site, DOORS[door](site, launched.execution_id), tmp_path) as kill:
        await _until_heard_by(site.listeners, 1, _STARTED_SECONDS)
        kill()

        await _until_heard_by(site.listeners, 0, _GONE_SECONDS)
