"""Proves that cancelling has one outcome in every status, and tells nothing of other workspaces."""

from __future__ import annotations

import asyncio

import pytest

from promptpilot.engine.definition import RetryPolicy
from promptpilot.errors import InvalidStatus, NotFound, StepFailed
from promptpilot.models import Execution
from tests.support.bench import Bench, is_waiting
from tests.support.drafts import transform
from tests.support.models import ScriptedModel, asking, workflow

SIMPLE = workflow(transform("a"))


async def cancel(bench: Bench, id: str, reason: str | None = None) -> None:
    """Cancel in the own workspace."""
    await bench.control.cancel(bench.workspace_id, id, reason)


async def test_a_pending_execution_is_cancelled_at_once(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    await cancel(bench, execution_id, "no more")

    row = await bench.stored(execution_id)
    assert (row.status, row.cancel_reason, row.ready_at) == ("CANCELLED", "no more", None)
    assert await bench.story(execution_id) == ["PENDING", "CANCELLED"]


async def test_a_cancelled_execution_is_never_claimed(bench: Bench) -> None:
    await cancel(bench, await bench.launch(SIMPLE))

    assert await bench.committer.claim("w1", 10, 1) == []


async def test_an_execution_between_two_attempts_is_cancelled_at_once(bench: Bench) -> None:
    failure = StepFailed("No.", "NETWORK", is_retryable=True)
    execution_id = await bench.launch(workflow(asking(retry=RetryPolicy(max_attempts=3))))
    tools = bench.tools_with(providers=ScriptedModel(failure).providers)
    async with bench.running(bench.runner(tools)):
        await bench.until(execution_id, is_waiting)

    await cancel(bench, execution_id)

    assert (await bench.story(execution_id))[-3:] == ["WAITING", "0#1 CANCELLED", "CANCELLED"]


async def test_a_running_execution_is_asked_for(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)
    await bench.claim()

    await cancel(bench, execution_id, "first")
    await cancel(bench, execution_id, "second")

    row = await bench.stored(execution_id)
    assert (row.status, row.cancel_reason) == ("RUNNING", "first")
    assert row.cancel_requested_at == bench.clock.now()


async def test_cancelling_twice_changes_nothing(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    await cancel(bench, execution_id, "first")
    await cancel(bench, execution_id, "second")

    assert (await bench.stored(execution_id)).cancel_reason == "first"
    assert await bench.story(execution_id) == ["PENDING", "CANCELLED"]


async def test_what_has_ended_cannot_be_cancelled(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)
    await bench.finish(execution_id)

    with pytest.raises(InvalidStatus) as refusal:
        await cancel(bench, execution_id)

    assert (refusal.value.status, refusal.value.path) == ("COMPLETED", ("input", "id"))


@pytest.mark.parametrize("id", ["", "ex_1", "ex_01234567890123456789012345"])
async def test_an_unknown_execution_is_not_found(bench: Bench, id: str) -> None:
    with pytest.raises(NotFound):
        await cancel(bench, id)


async def test_another_workspaces_execution_is_not_found(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    with pytest.raises(NotFound):
        await bench.control.cancel("ws_other", execution_id, None)

    assert (await bench.stored(execution_id)).status == "PENDING"


async def test_a_long_reason_is_cut(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    await cancel(bench, execution_id, "x" * 2000)

    assert len((await bench.stored(execution_id)).cancel_reason or "") == 1000


async def test_concurrent_cancellations_tell_one_end(bench: Bench) -> None:
    execution_id = await bench.launch(SIMPLE)

    await asyncio.gather(*[cancel(bench, execution_id, f"{n}") for n in range(10)])

    assert await bench.story(execution_id) == ["PENDING", "CANCELLED"]


async def test_cancelling_races_with_claiming_to_one_outcome(bench: Bench) -> None:
    ids = [await bench.launch(SIMPLE) for _ in range(10)]

    claims = [bench.committer.claim(f"w{n}", 1, 15_000) for n in range(10)]
    await asyncio.gather(*claims, *[cancel(bench, each) for each in ids])

    for row in await Execution.all():
        assert (row.status == "CANCELLED") != (row.status == "RUNNING")
        assert row.cancel_requested_at is not None
        assert len(await bench.story(row.id)) == 2


async def test_all_executions_of_a_workflow_are_cancelled(bench: Bench) -> None:
    ids = [await bench.launch(SIMPLE) for _ in range(3)]
    await Execution.filter(id__in=ids).update(workflow_id="wf_same")
    other = await bench.launch(SIMPLE)
    await cancel(bench, ids[0])

    assert await bench.control.unfinished_count("wf_same") == 2
    assert await bench.control.cancel_all("wf_same") == sorted(ids[1:])

    assert await bench.control.unfinished_count("wf_same") == 0
    assert (await bench.stored(other)).status == "PENDING"
