"""Proves that a step that failed shows what it was given, so that readers see what went wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.definition import Definition, RetryPolicy, Step
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.progress import step_views
from promptpilot.engine.step_configs import RequestConfig, RequestHeader
from promptpilot.errors import StepFailed
from promptpilot.models import StepExecution
from tests.support.bench import Bench, is_waiting
from tests.support.hostile import HostileServer, hostile_server
from tests.support.models import ScriptedModel, asking, workflow

SECRET = "s3cr3t/4711+value"


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a server that fails."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
def reaching(bench: Bench) -> Bench:
    """Give a bench whose steps may call this machine."""
    return replace(bench, http=HttpClient(AllowList.of(["127.0.0.1"])))


def request_to(url: str) -> dict[str, Any]:
    """Return what is shown of a plain request."""
    return {"url": url, "method": "POST", "headers": {}, "body": None}


@pytest.mark.parametrize("path", ["/status/404", "/bad-json", "/cut", "/hang"])
async def test_a_request_that_failed_is_shown(
    reaching: Bench, server: HostileServer, path: str
) -> None:
    url = server.url(path)
    step = Step("notify", RequestConfig(url), id="st_1", timeout_seconds=1)

    await reaching.finish(await reaching.launch(Definition((step,))))

    (row,) = await StepExecution.all()
    assert (row.status, row.input) == ("FAILED", request_to(url))


async def test_a_request_that_is_tried_again_is_shown_meanwhile(
    reaching: Bench, server: HostileServer
) -> None:
    url = server.url("/status/503")
    retry = RetryPolicy(max_attempts=2)
    step = Step("notify", RequestConfig(url), id="st_1", retry=retry)
    execution_id = await reaching.launch(Definition((step,)))

    async with reaching.running():
        row = await reaching.until(execution_id, is_waiting)

    (view,) = await step_views(row, reaching.versions)
    assert view.input == request_to(url)


async def test_a_request_that_failed_shows_no_secret(
    reaching: Bench, server: HostileServer
) -> None:
    secret = reaching.secret_store.seal(reaching.workspace_id, SECRET)
    await secret.save(force_create=True)
    header = RequestHeader("X-Key", is_secret=True, secret_id=secret.id)
    # The sender has the secret in a second place, where nobody marked it.
    config = RequestConfig(server.url("/status/404"), headers=(header,), body={"again": SECRET})

    await reaching.finish(await reaching.launch(Definition((Step("a", config, id="st_1"),))))

    (row,) = await StepExecution.all()
    assert (row.input["headers"], row.input["body"]) == ({"X-Key": "***"}, {"again": "***"})


async def test_a_prompt_that_failed_is_shown(bench: Bench) -> None:
    model = ScriptedModel(StepFailed("No.", "PROVIDER_AUTH"))
    tools = bench.tools_with(providers=model.providers)

    await bench.finish(await bench.launch(workflow(asking())), bench.runner(tools))

    (row,) = await StepExecution.all()
    assert row.input == {"content": model.asked[0].content, "instructions": None}
