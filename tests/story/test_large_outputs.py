"""Large answers of other servers: shown small, downloaded whole, read back, and refused in time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.story.conftest import SETTINGS
from tests.support.caller import Caller, calling
from tests.support.hostile import HostileServer, hostile_server
from tests.support.hostile.bodies import large_json
from tests.support.installation import Installation, shared
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.xdist_group("story"), pytest.mark.timeout(120)]

_BODY = json.loads(large_json(2))
_PREVIEW_BYTES = 4096
_MOST_GROWTH_BYTES = 50_000_000
_END_SECONDS = 40.0

_REGISTER = "mutation ($input: RegisterInput!) { register(input: $input) { token } }"
_CREATE = """
mutation ($input: CreateWorkflowInput!) {
  createWorkflow(input: $input) { workflow { id } errors { message path } }
}"""
_START = """
mutation ($input: StartExecutionInput!) {
  startExecution(input: $input) { execution { id } errors { message path } }
}"""
_READ = """
query ($id: ID!) { execution(id: $id) {
  status output outputUrl error { code } steps { stepName status output outputUrl }
} }"""


@dataclass(frozen=True)
class Fetching:
    """Somebody with a workflow that fetches an address and takes a value out of the answer."""

    caller: Caller
    workflow_id: str

    async def start(self, url: str) -> str:
        """Start an execution that fetches `url`; return its id."""
        asked = {"workflowId": self.workflow_id, "input": {"url": url}}
        made = (await self.caller.ask(_START, input=asked))["startExecution"]
        assert made["errors"] == []
        return str(made["execution"]["id"])

    async def read(self, execution_id: str) -> dict[str, Any]:
        """Return an execution with its steps."""
        found: dict[str, Any] = (await self.caller.ask(_READ, id=execution_id))["execution"]
        return found

    async def until(self, execution_id: str, *statuses: str) -> dict[str, Any]:
        """Return the execution as soon as it has one of the statuses."""

        async def found() -> dict[str, Any] | None:
            execution = await self.read(execution_id)
            return execution if execution["status"] in statuses else None

        return await wait_until(found, _END_SECONDS)

    async def download(self, url: str, **headers: str) -> httpx2.Response:
        """Get an output from where it is said to be."""
        return await self.caller.get(url, **headers)


@pytest.fixture
def installation(
    tmp_path: Path, database_url: str, redis_server: RedisServer
) -> Iterator[Installation]:
    """Give an installation with one worker, whose steps may call this machine."""
    settings = SETTINGS | {"PROMPTPILOT_EGRESS_ALLOW": "127.0.0.1"}
    made = Installation(tmp_path, shared(database_url, redis_server.url) | settings)
    made.start("worker")
    yield made
    made.remove()


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a hostile server of this test."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
async def fetching(caller: Caller) -> Fetching:
    """Give the workflow and its owner, who is signed in."""
    caller.token = await _sign_up(caller, "mira")
    made = (await caller.ask(_CREATE, input=_workflow()))["createWorkflow"]
    assert made["errors"] == []
    return Fetching(caller, made["workflow"]["id"])


async def test_a_large_answer_is_shown_small_downloaded_whole_and_read_by_the_next_worker(
    fetching: Fetching, installation: Installation, server: HostileServer
) -> None:
    execution_id = await fetching.start(server.url("/large-json/2"))
    await fetching.until(execution_id, "WAITING")
    installation.kill("worker")
    installation.start("worker")

    execution = await fetching.until(execution_id, "COMPLETED", "FAILED")

    fetch, _, take = execution["steps"]
    whole = (await fetching.download(fetch["outputUrl"])).json()
    assert whole["body"] == _BODY
    assert _size(fetch["output"]) <= _PREVIEW_BYTES
    assert fetch["output"]["status"] == 200
    assert fetch["output"]["body"]["items"][0]["id"] == 0
    assert take["output"]["value"] == "found"
    assert len(server.journal.requests) == 1


async def test_the_own_output_of_an_execution_is_downloaded_by_its_owner_alone(
    fetching: Fetching, server: HostileServer
) -> None:
    execution = await fetching.until(
        await fetching.start(server.url("/large-json/2")), "COMPLETED", "FAILED"
    )
    url = execution["outputUrl"]
    whole = await fetching.download(url)
    part = await fetching.download(url, range="bytes=0-99", if_range=whole.headers["etag"])
    async with calling(fetching.caller.port) as other:
        other.token = await _sign_up(other, "noor")
        theirs = [await other.get(each) for each in (url, execution["steps"][0]["outputUrl"])]

    assert whole.json() == {"value": "found", "items": _BODY["items"]}
    assert _size(execution["output"]) <= _PREVIEW_BYTES
    assert (part.status_code, part.content) == (206, whole.content[:100])
    assert [answer.status_code for answer in theirs] == [404, 404]


@pytest.mark.parametrize(
    "path", ["/huge/100", "/huge-unannounced/100", "/gzip-bomb/100", "/endless"]
)
async def test_what_is_far_too_large_is_refused_and_takes_no_memory(
    fetching: Fetching, installation: Installation, server: HostileServer, path: str
) -> None:
    await fetching.until(await fetching.start(server.url("/status/400")), "FAILED")
    (worker,) = [each for each in installation.running if each.command == "worker"]
    before = _peak_bytes(worker.pid)

    execution = await fetching.until(await fetching.start(server.url(path)), "FAILED")

    assert execution["error"]["code"] == "RESPONSE_TOO_LARGE"
    assert _peak_bytes(worker.pid) - before < _MOST_GROWTH_BYTES


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had so far."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (line,) = [each for each in status.splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


async def _sign_up(caller: Caller, name: str) -> str:
    person = {"email": f"{name}@example.org", "password": "correct horse battery staple"}
    return str((await caller.ask(_REGISTER, input=person))["register"]["token"])


def _workflow() -> dict[str, Any]:
    values = {
        "value": "steps.fetch.output.body.tail.deep[0].value",
        "items": "steps.fetch.output.body.items",
    }
    return {
        "name": "Fetch what is large",
        "variables": [{"name": "url", "isRequired": True}],
        "steps": [
            {"name": "fetch", "config": {"webhook": {"url": "{{ input.url }}", "method": "GET"}}},
            {"name": "rest", "config": {"delay": {"durationSeconds": 2}}},
            {"name": "take", "config": {"transform": {"set": values}}},
        ],
    }
