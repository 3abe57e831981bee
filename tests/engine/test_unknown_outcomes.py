"""Proves that a step that is to happen once happens once, and any other is repeated under one key.

Whoever receives the requests counts them.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.engine.advance import advance
from promptpilot.engine.definition import Definition, RetryPolicy, Step, UnknownOutcomePolicy
from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.lease import Lease, monotonic
from promptpilot.engine.progress import step_views
from promptpilot.engine.step_configs import RequestConfig
from promptpilot.models import Execution, StepAttempt
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import transform
from tests.support.hostile import HostileServer, hostile_server
from tests.support.ledgers import begun
from tests.support.waits import cancel

ONCE = UnknownOutcomePolicy.FAIL
PATIENT = RetryPolicy(max_attempts=3)


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a server that counts its requests."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
def reaching(bench: Bench) -> Bench:
    """Give a bench whose steps may call this machine."""
    return replace(bench, http=HttpClient(AllowList.of(["127.0.0.1"])))


def calling(url: str, policy: UnknownOutcomePolicy = ONCE, **others: Any) -> Definition:
    """Make a workflow of one request that may be tried three times."""
    step = Step("call", RequestConfig(url), id="st_1", retry=PATIENT, on_unknown_outcome=policy)
    return Definition((replace(step, **others), transform("after")))


async def interrupted(bench: Bench, server: HostileServer, definition: Definition) -> str:
    """Launch an execution whose first worker is stopped while its request hangs."""
    execution_id = await bench.launch(definition)
    async with bench.running():
        await server.journal.wait_for("/hang")
    return execution_id


def assert_unknown(row: Execution, code: str) -> None:
    """Fail unless the execution failed with this code."""
    assert row.error is not None
    assert (row.status, row.error["code"]) == ("FAILED", code)


async def test_a_worker_lost_in_the_middle_is_not_followed(
    reaching: Bench, server: HostileServer
) -> None:
    execution_id = await reaching.launch(calling(server.url("/json")))
    await reaching.committer.record(begun(await reaching.claim()))
    reaching.clock.move(seconds=15)

    row = await reaching.finish(execution_id, reaching.runner(owner="w2"))

    assert_unknown(row, "WORKER_LOST")
    assert row.error is not None
    assert "onUnknownOutcome" in row.error["message"]
    assert server.journal.requests == []
    assert (await reaching.story(execution_id))[-2:] == ["0#1 FAILED", "FAILED"]


async def test_a_worker_stopped_in_the_middle_hands_nothing_over(
    reaching: Bench, server: HostileServer
) -> None:
    execution_id = await interrupted(reaching, server, calling(server.url("/hang")))

    assert_unknown(await reaching.stored(execution_id), "WORKER_LOST")
    assert len(server.journal.requests) == 1
    await reaching.story(execution_id)


async def test_a_step_that_happens_once_may_be_passed_when_it_is_unknown(
    reaching: Bench, server: HostileServer
) -> None:
    definition = calling(server.url("/hang"), continue_on_error=True)
    execution_id = await interrupted(reaching, server, definition)

    row = await reaching.finish(execution_id)

    assert row.status == "COMPLETED"
    assert len(server.journal.requests) == 1


async def test_a_worker_stopped_before_the_effect_hands_over(
    reaching: Bench, server: HostileServer
) -> None:
    execution_id = await reaching.launch(calling(server.url("/json")))
    claimed = await reaching.claim()
    lease = Lease(claimed, timedelta(seconds=15), monotonic())
    await advance(claimed, lease, reaching.tools, lambda: True)

    row = await reaching.finish(execution_id, reaching.runner(owner="w2"))

    assert row.status == "COMPLETED"
    assert len(server.journal.requests) == 1


@pytest.mark.parametrize("path", ["/cut", "/reset", "/close", "/status/503"])
async def test_an_answer_that_was_lost_is_not_asked_for_again(
    reaching: Bench, server: HostileServer, path: str
) -> None:
    execution_id = await reaching.launch(calling(server.url(path)))

    row = await reaching.finish(execution_id)

    assert row.status == "FAILED"
    assert len(server.journal.requests) == 1
    assert await StepAttempt.all() == []


async def test_a_request_that_took_too_long_is_not_made_again(
    reaching: Bench, server: HostileServer
) -> None:
    execution_id = await reaching.launch(calling(server.url("/hang"), timeout_seconds=1))

    assert_unknown(await reaching.finish(execution_id), "STEP_TIMEOUT")

    assert len(server.journal.requests) == 1


async def test_a_server_that_was_not_reached_is_called_again(reaching: Bench) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        execution_id = await reaching.launch(calling(url))

        async with reaching.running():
            row = await reaching.until(execution_id, is_waiting)

    assert row.wait_reason == "RETRY"


async def test_a_cancellation_goes_before_the_unknown_outcome(
    reaching: Bench, server: HostileServer
) -> None:
    execution_id = await reaching.launch(calling(server.url("/hang")))
    async with reaching.running():
        await server.journal.wait_for("/hang")
        await cancel(reaching, execution_id)

    assert (await reaching.stored(execution_id)).status == "CANCELLED"
    await reaching.story(execution_id)


async def test_a_step_that_took_too_long_is_tried_again(
    reaching: Bench, server: HostileServer
) -> None:
    definition = calling(server.url("/hang"), UnknownOutcomePolicy.RETRY, timeout_seconds=1)
    execution_id = await reaching.launch(definition)

    async with reaching.running():
        row = await reaching.until(execution_id, is_waiting)

    (attempt,) = await StepAttempt.all()
    assert (row.wait_reason, (attempt.error or {})["code"]) == ("RETRY", "STEP_TIMEOUT")


async def test_every_attempt_has_one_key_whatever_became_of_the_worker(
    reaching: Bench, server: HostileServer
) -> None:
    definition = calling(server.url("/hang"), UnknownOutcomePolicy.RETRY)
    execution_id = await interrupted(reaching, server, definition)
    async with reaching.running(reaching.runner(owner="w2")):
        await server.journal.wait_for("/hang", 2)
        reaching.clock.move(seconds=15)
        async with reaching.running(reaching.runner(owner="w3")):
            await server.journal.wait_for("/hang", 3)

    keys = {each.headers["idempotency-key"] for each in server.journal.requests}
    (view, _) = await step_views(await reaching.stored(execution_id), reaching.versions)
    numbers = [each.number for each in view.attempts]
    assert len(keys) == 1
    assert numbers == list(range(1, len(numbers) + 1))
    await reaching.story(execution_id)


async def test_the_wait_before_an_attempt_is_drawn_once(
    reaching: Bench, server: HostileServer
) -> None:
    definition = calling(server.url("/flaky/1/a"), UnknownOutcomePolicy.RETRY)
    execution_id = await reaching.launch(definition)
    async with reaching.running():
        row = await reaching.until(execution_id, is_waiting)
    ((attempt,), (view, _)) = (await StepAttempt.all(), await step_views(row, reaching.versions))

    assert row.ready_at == attempt.next_attempt_at == view.wake_at
    reaching.clock.at = row.ready_at or reaching.clock.at
    await reaching.claim("w2")
    reaching.clock.move(seconds=15)
    ended = await reaching.finish(execution_id, reaching.runner(owner="w3"))
    assert (is_final(ended), ended.status) == (True, "COMPLETED")
    assert await StepAttempt.all().count() == 1


@pytest.mark.parametrize(
    ("path", "longest"),
    [
        ("/status/429?retry-after=299", 299),
        ("/status/429?retry-after=4000", 300),
        ("/retry-after/huge", 1),
        ("/retry-after/negative", 1),
        ("/retry-after/text", 1),
    ],
)
async def test_what_a_server_asks_to_wait_is_granted_within_bounds(
    reaching: Bench, server: HostileServer, path: str, longest: int
) -> None:
    definition = calling(server.url(path), UnknownOutcomePolicy.RETRY)
    execution_id = await reaching.launch(definition)

    async with reaching.running():
        row = await reaching.until(execution_id, is_waiting)

    assert row.ready_at is not None
    wait = row.ready_at - reaching.clock.now()
    assert timedelta(seconds=longest / 2) <= wait <= timedelta(seconds=longest)
    assert longest == 1 or wait == timedelta(seconds=longest)


async def test_attempts_are_counted_once_after_a_cancelled_wait(
    reaching: Bench, server: HostileServer
) -> None:
    definition = calling(server.url("/status/503"), UnknownOutcomePolicy.RETRY)
    execution_id = await reaching.launch(definition)
    async with reaching.running():
        await reaching.until(execution_id, is_waiting)
    await cancel(reaching, execution_id)

    (view, after) = await step_views(await reaching.stored(execution_id), reaching.versions)

    assert (view.status, [each.number for each in view.attempts]) == ("CANCELLED", [1])
    assert after.status == "PENDING"
