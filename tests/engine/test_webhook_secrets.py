"""Proves that what a WEBHOOK step is trusted with reaches the other server and no table or log.

The execution is driven as in production; the other server repeats the secret in every way it can.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import structlog

from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.step_configs import RequestConfig, RequestHeader
from promptpilot.models import Execution, StepExecution
from tests.support.bench import Bench
from tests.support.hostile import HostileServer, hostile_server
from tests.support.stored import dump

SECRET = "s3cr3t/4711+value"
HIDDEN = "***"


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a server that can repeat what it receives."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
def reaching(bench: Bench) -> Bench:
    """Give a bench whose steps may call this machine."""
    return replace(bench, http=HttpClient(AllowList.of(["127.0.0.1"])))


async def run(bench: Bench, url: str) -> Execution:
    """Run a workflow of one request with a secret header to its end."""
    row = bench.secret_store.seal(bench.workspace_id, f"Bearer {SECRET}")
    await row.save(force_create=True)
    header = RequestHeader("X-Key", is_secret=True, secret_id=row.id)
    config = RequestConfig(url, headers=(header,), body={"a": 1})
    step = Step("notify", config, id="st_1", outputs={"told": "output.body"})
    return await bench.finish(await bench.launch(Definition((step,))))


@pytest.mark.parametrize(
    "path",
    [
        "/echo",
        "/echo-header/x-key",
        "/echo-header/x-key?as=base64",
        "/echo-header/x-key?as=url",
        "/echo-header/x-key?as=header",
    ],
)
async def test_a_secret_that_comes_back_is_not_stored(
    reaching: Bench, server: HostileServer, path: str
) -> None:
    with structlog.testing.capture_logs() as logged:
        execution = await run(reaching, server.url(path))

    text = await dump(reaching.database) + repr(logged)
    assert execution.status == "COMPLETED"
    assert server.journal.requests[0].headers["x-key"] == f"Bearer {SECRET}"
    packed = b64encode(f"Bearer {SECRET}".encode()).decode()[12:24]
    assert [each for each in (SECRET, "s3cr3t", packed) if each in text] == []


@pytest.mark.parametrize("path", ["/status/401", "/cut", "/redirect/302?to=/x", "/bad-json"])
async def test_a_request_that_fails_stores_no_secret(
    reaching: Bench, server: HostileServer, path: str
) -> None:
    with structlog.testing.capture_logs() as logged:
        execution = await run(reaching, server.url(path))

    assert execution.status == "FAILED"
    assert "s3cr3t" not in await dump(reaching.database) + repr(logged)


async def test_what_readers_see_has_a_mark_in_place_of_the_secret(
    reaching: Bench, server: HostileServer
) -> None:
    execution = await run(reaching, server.url("/echo-header/x-key"))

    row = await StepExecution.get(execution_id=execution.id)
    assert row.input["headers"] == {"X-Key": HIDDEN}
    assert HIDDEN in row.output["body"]["header"]


async def test_the_signing_secret_is_in_no_table(reaching: Bench, server: HostileServer) -> None:
    await run(reaching, server.url("/echo"))

    (key,) = await reaching.secret_store.open_for(reaching.workspace_id).signing_secrets()
    assert key.removeprefix("whsec_") not in await dump(reaching.database)
