"""Proves that attempts at a request share a key, wait as asked, and stop when they might repeat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.definition import Definition, RetryPolicy, Step, UnknownOutcomePolicy
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.step_configs import RequestConfig
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.hostile import HostileServer, hostile_server


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a server that can fail for a while."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
def reaching(bench: Bench) -> Bench:
    """Give a bench whose steps may call this machine."""
    return replace(bench, http=HttpClient(AllowList.of(["127.0.0.1"])))


def requesting(url: str, **others: Any) -> Definition:
    """Make a workflow of one request that is tried twice."""
    step = Step("notify", RequestConfig(url), id="st_1", retry=RetryPolicy(max_attempts=2))
    return Definition((replace(step, **others),))


@pytest.mark.parametrize("path", ["/flaky/1/a", "/flaky-reset/1/a"])
async def test_both_attempts_have_one_key_and_each_its_own_time(
    reaching: Bench, server: HostileServer, path: str
) -> None:
    execution_id = await reaching.launch(requesting(server.url(path)))
    async with reaching.running():
        await reaching.until(execution_id, is_waiting)
        reaching.clock.move(seconds=2)
        reaching.waker.wake()
        row = await reaching.until(execution_id, is_final)

    first, second = (each.headers for each in server.journal.requests)
    assert row.status == "COMPLETED"
    assert first["idempotency-key"] == second["idempotency-key"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) == int(first["webhook-timestamp"]) + 2


async def test_a_server_that_asks_for_a_minute_gets_it(
    reaching: Bench, server: HostileServer
) -> None:
    url = server.url("/status/429?retry-after=60")
    execution_id = await reaching.launch(requesting(url))

    async with reaching.running():
        row = await reaching.until(execution_id, is_waiting)

    assert row.ready_at == reaching.clock.now() + timedelta(seconds=60)


@pytest.mark.parametrize("path", ["/status/503", "/reset", "/cut", "/bad-json", "/status/408"])
async def test_a_step_that_may_have_acted_is_not_repeated_if_it_must_not_be(
    reaching: Bench, server: HostileServer, path: str
) -> None:
    definition = requesting(server.url(path), on_unknown_outcome=UnknownOutcomePolicy.FAIL)

    row = await reaching.finish(await reaching.launch(definition))

    assert row.status == "FAILED"
    assert len(server.journal.requests) == 1


@pytest.mark.parametrize("path", ["/status/429", "/status/409"])
async def test_a_step_that_has_surely_not_acted_is_repeated_all_the_same(
    reaching: Bench, server: HostileServer, path: str
) -> None:
    definition = requesting(server.url(path), on_unknown_outcome=UnknownOutcomePolicy.FAIL)
    execution_id = await reaching.launch(definition)

    async with reaching.running():
        row = await reaching.until(execution_id, is_waiting)

    assert row.wait_reason == "RETRY"


@pytest.mark.parametrize("path", ["/status/404", "/redirect/302?to=/json", "/huge/11"])
async def test_what_no_retry_can_mend_is_not_repeated(
    reaching: Bench, server: HostileServer, path: str
) -> None:
    row = await reaching.finish(await reaching.launch(requesting(server.url(path))))

    assert row.status == "FAILED"
    assert len(server.journal.requests) == 1
