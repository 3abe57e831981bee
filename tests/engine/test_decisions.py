"""Proves that a person's decision counts once, for those it concerns, and until its time is up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.principal import Principal
from promptpilot.errors import InvalidInput, InvalidStatus, NotFound
from promptpilot.models import Decision, Execution, StepExecution
from tests.support.bench import Bench, is_final, is_waiting
from tests.support.drafts import transform, variable
from tests.support.waits import cancel, decide, deciding, parked, pause, resume

QUESTION = "Send {{ input.what }}?"
TIMED = deciding(seconds=60, default="reject")


async def asked(bench: Bench, *steps: Step) -> str:
    """Launch an execution that asks a person; return it while it waits."""
    definition = Definition(steps or (deciding(question=QUESTION),), (variable("what"),))
    execution_id = await bench.launch(definition, input={"what": "the letter"})
    await parked(bench, execution_id)
    return execution_id


async def answered(bench: Bench, execution_id: str) -> dict[str, Any]:
    """Run to the end; return what came of the decision."""
    await bench.finish(execution_id)
    row = await StepExecution.filter(execution_id=execution_id).order_by("position").first()
    assert row is not None
    return dict(row.output)


async def test_the_question_is_on_record_while_it_waits(bench: Bench) -> None:
    execution_id = await asked(bench)

    row, (step,) = await bench.stored(execution_id), await StepExecution.all()
    assert (row.status, row.wait_reason, row.ready_at) == ("WAITING", "DECISION", None)
    assert (step.status, step.wake_at) == ("WAITING", None)
    assert step.input == {
        "question": "Send the letter?", "choices": ["approve", "reject"], "defaultChoice": None
    }  # fmt: skip


async def test_an_answer_lets_the_execution_go_on(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench)
    step_id = ids.step_execution_id(execution_id, "0")

    await bench.decisions.submit(principal, step_id, "approve", "Looks fine.")

    assert await answered(bench, execution_id) == {
        "choice": "approve", "how": "PERSON", "decidedBy": principal.user_id,
        "comment": "Looks fine.",
    }  # fmt: skip
    assert (await bench.story(execution_id))[-3:] == ["RUNNING", "0#1 COMPLETED", "COMPLETED"]


async def test_the_same_answer_may_be_given_again(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench)

    await decide(bench, principal, execution_id, "approve")
    await decide(bench, principal, execution_id, "approve")
    await bench.finish(execution_id)
    await decide(bench, principal, execution_id, "approve")

    assert await Decision.all().count() == 1


async def test_another_answer_is_refused(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench)
    await decide(bench, principal, execution_id, "approve")

    with pytest.raises(InvalidStatus, match="made already: 'approve'") as refusal:
        await decide(bench, principal, execution_id, "reject")

    assert refusal.value.path == ("input", "stepExecutionId")
    assert (await answered(bench, execution_id))["choice"] == "approve"


async def test_an_unknown_choice_is_refused(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench)

    with pytest.raises(InvalidInput, match="'approve', 'reject'") as refusal:
        await decide(bench, principal, execution_id, "Approve")

    assert refusal.value.path == ("input", "choice")
    assert await Decision.all().count() == 0


@pytest.mark.parametrize("comment", ["x" * 2001, "a\x00b", "\ud800"])
async def test_a_comment_that_cannot_be_stored_is_refused(
    bench: Bench, principal: Principal, comment: str
) -> None:
    step_id = ids.step_execution_id(await asked(bench), "0")

    with pytest.raises(InvalidInput) as refusal:
        await bench.decisions.submit(principal, step_id, "approve", comment)

    assert refusal.value.path == ("input", "comment")


async def test_another_workspaces_decision_is_not_found(bench: Bench, stranger: Principal) -> None:
    execution_id = await asked(bench)

    with pytest.raises(NotFound):
        await decide(bench, stranger, execution_id, "approve")

    assert (await bench.stored(execution_id)).ready_at is None


@pytest.mark.parametrize("id", ["", "sx_1", "ex_01234567890123456789012345", "\x00", "sx_" * 99])
async def test_a_malformed_id_is_not_found(bench: Bench, principal: Principal, id: str) -> None:
    with pytest.raises(NotFound):
        await bench.decisions.submit(principal, id, "approve", None)


async def test_a_step_that_was_not_reached_is_not_found(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench, deciding("a"), deciding("b"))

    with pytest.raises(NotFound):
        await decide(bench, principal, execution_id, "approve", path="1")


async def test_a_step_that_is_no_decision_is_refused(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench, transform("a"), deciding())

    with pytest.raises(InvalidStatus, match="no DECISION"):
        await decide(bench, principal, execution_id, "approve", path="0")


async def test_two_decisions_are_answered_one_by_one(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench, deciding("a"), deciding("b"))
    await decide(bench, principal, execution_id, "approve")
    async with bench.running():
        await bench.until(execution_id, lambda row: is_waiting(row) and row.position == 1)

    await decide(bench, principal, execution_id, "reject", path="1")

    await bench.finish(execution_id)
    outputs = [row.output["choice"] for row in await StepExecution.all().order_by("position")]
    assert outputs == ["approve", "reject"]


async def test_the_default_is_taken_when_time_is_up(bench: Bench) -> None:
    execution_id = await asked(bench, TIMED)
    bench.clock.move(minutes=1)

    assert await answered(bench, execution_id) == {
        "choice": "reject", "how": "TIMEOUT", "decidedBy": None, "comment": None
    }  # fmt: skip


async def test_without_a_default_the_step_fails_when_time_is_up(bench: Bench) -> None:
    execution_id = await asked(bench, deciding(question=QUESTION, seconds=60))
    bench.clock.move(minutes=1)

    row = await bench.finish(execution_id)

    assert row.error is not None
    assert (row.status, row.error["code"]) == ("FAILED", "DECISION_TIMEOUT")
    assert (await bench.story(execution_id))[-3:] == ["RUNNING", "0#1 FAILED", "FAILED"]
    (step,) = await StepExecution.all()
    assert step.input["question"] == "Send the letter?"


async def test_a_decision_that_nobody_made_may_be_passed(bench: Bench) -> None:
    step = deciding(seconds=60, continue_on_error=True)
    execution_id = await asked(bench, step, transform("b", why="steps.ask.error.code"))
    bench.clock.move(minutes=1)

    row = await bench.finish(execution_id)

    assert row.output == {"why": "DECISION_TIMEOUT"}


async def test_an_answer_after_its_time_is_refused_though_nobody_noticed(
    bench: Bench, principal: Principal
) -> None:
    execution_id = await asked(bench, TIMED)
    bench.clock.move(minutes=1)

    with pytest.raises(InvalidStatus, match="time for this decision is up"):
        await decide(bench, principal, execution_id, "approve")

    assert (await answered(bench, execution_id))["how"] == "TIMEOUT"


async def test_an_answer_in_the_last_millisecond_counts(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench, TIMED)
    bench.clock.move(milliseconds=59_999)

    await decide(bench, principal, execution_id, "approve")
    bench.clock.move(minutes=1)

    assert (await answered(bench, execution_id))["how"] == "PERSON"


async def test_an_answer_while_paused_takes_effect_when_it_goes_on(
    bench: Bench, principal: Principal
) -> None:
    execution_id = await asked(bench, TIMED)
    await pause(bench, execution_id)

    await decide(bench, principal, execution_id, "approve")

    assert await bench.committer.claim("w1", 10, 15_000) == []
    bench.clock.move(hours=1)
    await resume(bench, execution_id)
    assert (await answered(bench, execution_id))["choice"] == "approve"


async def test_no_answer_is_taken_after_the_time_has_passed_in_a_pause(
    bench: Bench, principal: Principal
) -> None:
    execution_id = await asked(bench, TIMED)
    await pause(bench, execution_id)
    bench.clock.move(minutes=1)

    with pytest.raises(InvalidStatus, match="time for this decision is up"):
        await decide(bench, principal, execution_id, "approve")

    await resume(bench, execution_id)
    assert (await answered(bench, execution_id))["how"] == "TIMEOUT"


async def test_an_answer_that_meets_the_claim_for_its_time_out_is_refused(
    bench: Bench, principal: Principal
) -> None:
    execution_id = await asked(bench, TIMED)
    bench.clock.move(minutes=1)
    await bench.claim("w2")
    bench.clock.move(seconds=-1)

    with pytest.raises(InvalidStatus, match="is RUNNING and does not wait"):
        await decide(bench, principal, execution_id, "approve")

    bench.clock.move(seconds=16)
    assert (await answered(bench, execution_id))["how"] == "TIMEOUT"


async def test_a_worker_lost_with_an_answer_is_followed_by_one_that_takes_it(
    bench: Bench, principal: Principal
) -> None:
    execution_id = await asked(bench)
    await decide(bench, principal, execution_id, "approve")
    await bench.claim("w2")
    bench.clock.move(seconds=15)

    assert (await answered(bench, execution_id))["choice"] == "approve"


async def test_what_was_cancelled_takes_no_answer(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench)
    await cancel(bench, execution_id)

    with pytest.raises(InvalidStatus, match="is CANCELLED"):
        await decide(bench, principal, execution_id, "approve")

    assert await Decision.all().count() == 0


async def test_concurrent_answers_have_one_winner(bench: Bench, principal: Principal) -> None:
    execution_id = await asked(bench)
    choices = ["approve", "reject"] * 5

    results = await asyncio.gather(
        *[decide(bench, principal, execution_id, choice) for choice in choices],
        return_exceptions=True,
    )

    (decision,) = await Decision.all()
    assert [result is None for result in results] == [each == decision.choice for each in choices]


Act = Callable[[], Awaitable[object]]


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_meets_at_a_decision_has_one_outcome(
    bench: Bench, principal: Principal, seed: int
) -> None:
    execution_id = await asked(bench, TIMED)
    acts: list[Act] = [
        lambda: decide(bench, principal, execution_id, "approve"),
        lambda: decide(bench, principal, execution_id, "reject"),
        lambda: pause(bench, execution_id),
        lambda: resume(bench, execution_id),
        lambda: cancel(bench, execution_id),
    ]

    async with bench.running() as runner:
        await _meet(bench, runner.wake, acts, random.Random(seed))  # noqa: S311 -- repeatable
        row = await _settle(bench, execution_id, runner.wake)

    await _assert_one_outcome(bench, row)


async def _meet(bench: Bench, wake: Callable[[], None], acts: list[Act], by: random.Random) -> None:
    """Do everything in some order, some of it at once, while time passes and a worker looks."""
    chosen = by.sample(acts, by.randint(1, len(acts) - (by.random() < 0.7)))
    bench.clock.move(seconds=by.choice([0, 59, 60]))
    wake()
    await asyncio.gather(*[act() for act in chosen], return_exceptions=True)
    bench.clock.move(seconds=by.choice([0, 1]))
    wake()


async def _settle(bench: Bench, execution_id: str, wake: Callable[[], None]) -> Execution:
    """Let it go on and let its time pass, whatever happened, until it has ended."""
    if not is_final(await bench.stored(execution_id)):
        await asyncio.gather(resume(bench, execution_id), return_exceptions=True)
    bench.clock.move(minutes=2)
    wake()
    return await bench.until(execution_id, is_final)


async def _assert_one_outcome(bench: Bench, row: Execution) -> None:
    await bench.story(row.id)
    decisions = await Decision.filter(execution_id=row.id)
    (step,) = await StepExecution.filter(execution_id=row.id)
    assert len(decisions) <= 1
    assert row.status in {"COMPLETED", "CANCELLED"}
    if row.status == "COMPLETED":
        expected = decisions[0].choice if decisions else "reject"
        assert (step.output["choice"], step.status) == (expected, "COMPLETED")
    else:
        assert step.status == "CANCELLED"
