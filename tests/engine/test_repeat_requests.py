"""Proves that a repeat is refused with the way out, and stored once for its key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.commits import open_committer
from promptpilot.engine.launch import Launched
from promptpilot.engine.principal import Principal
from promptpilot.engine.repeats import RepeatRequest
from promptpilot.errors import (
    IdempotencyMismatch,
    InvalidInput,
    InvalidStatus,
    NotFound,
)
from promptpilot.models import Execution, Workflow
from tests.support.bench import Bench
from tests.support.committers import LostAnswers
from tests.support.ledgers import handed_over, rows_of
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.repeating import NO, Repeater, reused

TWO = workflow(asking("a"), asking("b"))


@pytest.fixture
def repeater(bench: Bench, principal: Principal) -> Repeater:
    """Give what runs executions again; its model fails at the second call."""
    return Repeater(bench, principal, ScriptedModel("one", NO, "two"))


@pytest.mark.parametrize("id", ["", "ex_1", "wf_0123456789abcdefghjkmnpqrs", "\ud800", None])
async def test_an_unknown_execution_is_not_found(repeater: Repeater, id: str | None) -> None:
    unknown = ids.new_id(ids.Kind.EXECUTION) if id is None else id

    with pytest.raises(NotFound) as refusal:
        await repeater.launch_repeat(unknown, idempotency_key="k")

    assert (refusal.value.id, refusal.value.path) == (unknown, ("input", "id"))


async def test_another_workspaces_execution_is_not_found(
    repeater: Repeater, stranger: Principal
) -> None:
    failed = await repeater.run(TWO)

    with pytest.raises(NotFound):
        await repeater.repeats.repeat(stranger, RepeatRequest(failed))

    assert await Execution.all().count() == 1


async def test_what_is_not_final_is_not_repeated(repeater: Repeater, bench: Bench) -> None:
    pending = await bench.launch(TWO)

    with pytest.raises(InvalidStatus, match="is PENDING; wait until it has ended, or cancel") as no:
        await repeater.launch_repeat(pending)

    assert (no.value.status, no.value.path) == ("PENDING", ("input", "id"))


async def test_a_handover_is_told_as_running(repeater: Repeater, bench: Bench) -> None:
    claimed_id = await bench.launch(TWO)
    await bench.committer.record(handed_over(await bench.claim()))

    with pytest.raises(InvalidStatus) as refusal:
        await repeater.launch_repeat(claimed_id)

    assert refusal.value.status == "RUNNING"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"step": "z"}, "fromStepName"),
        ({"step": "\ud800"}, "fromStepName"),
        ({"step": ""}, "fromStepName"),
        ({"idempotency_key": ""}, "idempotencyKey"),
        ({"idempotency_key": "k" * 256}, "idempotencyKey"),
    ],
    ids=["unknown step", "no text", "empty step", "empty key", "long key"],
)
async def test_a_refused_repeat_stores_nothing(
    repeater: Repeater, change: dict[str, Any], path: str
) -> None:
    failed = await repeater.run(TWO)
    before = await rows_of(repeater.bench.database)

    with pytest.raises(InvalidInput) as refusal:
        await repeater.launch_repeat(failed, **{"idempotency_key": "k", **change})

    assert refusal.value.path == ("input", path)
    assert await rows_of(repeater.bench.database) == before


async def test_a_key_repeats_once(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)

    first = await repeater.launch_repeat(failed, idempotency_key="k")
    again = await repeater.launch_repeat(failed, idempotency_key="k")

    assert (first.is_new, again) == (True, Launched(first.execution_id, is_new=False))
    assert await Execution.all().count() == 2


@pytest.mark.parametrize("change", [{"step": "a"}, {"use_newest_version": True}], ids=str)
async def test_a_key_belongs_to_one_repeat(repeater: Repeater, change: dict[str, Any]) -> None:
    failed = await repeater.run(TWO)
    await repeater.launch_repeat(failed, idempotency_key="k")

    with pytest.raises(IdempotencyMismatch):
        await repeater.launch_repeat(failed, **change, idempotency_key="k")

    assert await Execution.all().count() == 2


async def test_a_key_still_answers_when_the_workflow_is_gone(repeater: Repeater) -> None:
    failed = await repeater.run(TWO)
    await repeater.change(failed, TWO)
    asked: dict[str, Any] = {"use_newest_version": True, "idempotency_key": "k"}
    first = await repeater.launch_repeat(failed, **asked)
    await Workflow.all().delete()

    again = await repeater.launch_repeat(failed, **asked)

    assert again == Launched(first.execution_id, is_new=False)


async def test_a_key_may_be_used_again_after_a_day(repeater: Repeater, bench: Bench) -> None:
    failed = await repeater.run(TWO)
    await repeater.launch_repeat(failed, idempotency_key="k")
    bench.clock.move(hours=24)

    again = await repeater.launch_repeat(failed, "a", idempotency_key="k")

    assert again.is_new


async def test_twenty_repeats_with_one_key_are_one(repeater: Repeater, bench: Bench) -> None:
    failed = await repeater.run(TWO)
    other = await open_committer(bench.database, clock=bench.clock)
    doors = [repeater.repeats, repeater.repeats_by(other)]
    request = RepeatRequest(failed, idempotency_key="k")

    launched = await asyncio.gather(
        *[doors[n % 2].repeat(repeater.principal, request) for n in range(20)]
    )
    await other.close()

    assert len({each.execution_id for each in launched}) == 1
    assert [each.is_new for each in launched].count(True) == 1
    assert await Execution.all().count() == 2


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_repeat_whose_answer_was_lost_is_one(repeater: Repeater, key: str | None) -> None:
    failed = await repeater.run(TWO)
    repeats = repeater.repeats_by(LostAnswers(repeater.bench.committer))

    launched = await repeats.repeat(repeater.principal, RepeatRequest(failed, idempotency_key=key))

    assert launched.is_new
    assert await Execution.all().count() == 2
    assert await reused(launched.execution_id) == [ids.step_execution_id(failed, "0")]
    assert (await repeater.finish(launched.execution_id)).status == "COMPLETED"
