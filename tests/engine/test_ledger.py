"""Proves what each move of an entry stores and tells, and that no illegal move can be made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from promptpilot.clock import from_ms
from promptpilot.engine import ledger
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Claimed
from promptpilot.engine.interventions import Interventions
from promptpilot.engine.ledger import Entry
from promptpilot.engine.ledger_rows import AttemptMark, Ended, Usage
from promptpilot.engine.lifecycle import FINAL, ExecutionStatus, StepStatus
from promptpilot.engine.reasons import reason
from promptpilot.engine.scope import Outcome, SkipReason
from promptpilot.errors import InvalidInput, InvalidStatus, LeaseLost
from promptpilot.models import (
    DeadLetter,
    Execution,
    ExecutionEvent,
    StepAttempt,
    StepExecution,
)
from promptpilot.models.database import Database
from tests.support.bench import told
from tests.support.clock import ManualClock
from tests.support.ledgers import count, entry_of, failed, opening, place, rows_of

LEASE_MS = 15_000
WHY = reason("X", "It broke.", is_retryable=True)
RAN = Ended(Outcome(StepStatus.COMPLETED, output={"v": 1}), input={"i": 1})


@pytest.fixture
async def claimed(committer: Committer) -> Claimed:
    """Give an execution that this process holds."""
    await committer.open(opening())
    (taken,) = await committer.claim("w1", 1, LEASE_MS)
    return taken


@pytest.fixture
def mark(claimed: Claimed) -> AttemptMark:
    """Give an attempt, the second of its step."""
    return AttemptMark(2, claimed.now - 10, claimed.now - 20)


async def stored() -> Execution:
    """Return the one execution."""
    return await Execution.get()


async def tale() -> list[str]:
    """Return what was told after the claim."""
    rows = await ExecutionEvent.filter(seq__gt=2).order_by("seq")
    return [told(row) for row in rows]


async def test_the_first_attempt_begins_when_it_is_written(
    committer: Committer, claimed: Claimed, clock: ManualClock
) -> None:
    clock.move(seconds=3)
    entry = entry_of(claimed)

    entry.begin_step(place(1), 1, None)
    recorded = await ledger.record(committer, entry)

    row = await stored()
    assert (row.position, row.current_path, row.current_attempt) == (1, "1", 1)
    assert row.step_started_at == row.attempt_started_at == clock.now() == from_ms(recorded.at)
    assert await tale() == ["1#1 RUNNING"]


async def test_a_later_attempt_keeps_the_instant_of_the_first(
    committer: Committer, claimed: Claimed, clock: ManualClock
) -> None:
    entry = entry_of(claimed)

    entry.begin_step(place(), 2, claimed.now - 5)
    await ledger.record(committer, entry)

    row = await stored()
    assert row.step_started_at == from_ms(claimed.now - 5)
    assert row.attempt_started_at == clock.now()
    assert await tale() == []


async def test_an_attempt_after_a_wait_is_told(committer: Committer, claimed: Claimed) -> None:
    entry = entry_of(claimed)

    entry.resume_step(place(), 2, claimed.now)
    await ledger.record(committer, entry)

    event = (await ExecutionEvent.filter(seq=3))[0]
    assert (event.from_status, event.to_status, event.attempt) == ("WAITING", "RUNNING", 2)


async def test_a_result_is_stored_with_all_that_it_left_behind(
    committer: Committer, claimed: Claimed, mark: AttemptMark
) -> None:
    entry = entry_of(claimed)

    calls = [{"model": "m"}]
    entry.end_step(place(), mark, replace(RAN, model_calls=calls, usage=Usage(3, 4, 5)))
    await ledger.record(committer, entry)

    row = (await StepExecution.all())[0]
    assert (row.path, row.step_id, row.step_name, row.step_type) == ("0", "st_0", "s0", "TRANSFORM")
    assert (row.status, row.attempt, row.fence) == ("COMPLETED", 2, 1)
    assert (row.input, row.output, row.error, row.model_calls) == ({"i": 1}, {"v": 1}, None, calls)
    assert (row.prompt_tokens, row.completion_tokens, row.cost_micros) == (3, 4, 5)
    assert (row.started_at, row.attempt_started_at) == (
        from_ms(mark.step_started_at),
        from_ms(mark.started_at),
    )


async def test_a_result_is_progress(
    committer: Committer, claimed: Claimed, clock: ManualClock, mark: AttemptMark
) -> None:
    clock.move(milliseconds=LEASE_MS)
    (again,) = await committer.claim("w2", 1, LEASE_MS)
    entry = entry_of(again)

    entry.end_step(place(), mark, RAN)
    await ledger.record(committer, entry)

    row = await stored()
    assert (again.crashes, row.crashes, row.recovery_count) == (1, 0, 1)
    assert (row.position, row.status) == (1, "RUNNING")
    assert await tale() == ["0#2 COMPLETED"]


@pytest.mark.parametrize(
    ("outcome", "told_as"),
    [
        (Outcome(StepStatus.SKIPPED, skip_reason=SkipReason.GUARD), "SKIPPED"),
        (failed(WHY), "FAILED"),
    ],
)
async def test_a_step_that_is_not_run_has_no_attempt(
    committer: Committer, claimed: Claimed, outcome: Outcome, told_as: str
) -> None:
    entry = entry_of(claimed)

    entry.skip_step(place(), outcome)
    await ledger.record(committer, entry)

    row = (await StepExecution.all())[0]
    assert (row.status, row.attempt, row.started_at) == (told_as, 0, None)
    assert (row.skip_reason, row.error) == (outcome.skip_reason, outcome.error)
    assert await tale() == [f"0#0 {told_as}"]


async def test_a_failed_attempt_waits_without_a_worker(
    committer: Committer, claimed: Claimed, mark: AttemptMark, clock: ManualClock
) -> None:
    entry = entry_of(claimed)
    wait = timedelta(seconds=2)

    entry.park_for_retry(place(), mark, Ended(failed(WHY), usage=Usage(1)), wait)
    await ledger.record(committer, entry)

    row, attempt = await stored(), (await StepAttempt.all())[0]
    assert (row.status, row.wait_reason, row.owner) == ("WAITING", "RETRY", None)
    assert row.ready_at == attempt.next_attempt_at == clock.now() + wait
    assert (row.position, row.current_attempt, row.current_path) == (0, 2, None)
    assert row.step_started_at == from_ms(mark.step_started_at)
    assert (attempt.number, attempt.status, attempt.error) == (2, "FAILED", WHY)
    assert await tale() == ["0#2 RETRY", "0#2 WAITING", "WAITING"]


async def test_an_attempt_that_was_cut_off_has_no_next_instant(
    committer: Committer, claimed: Claimed, mark: AttemptMark
) -> None:
    entry = entry_of(claimed)

    entry.end_attempt(place(), mark, WHY)
    await ledger.record(committer, entry)

    attempt = (await StepAttempt.all())[0]
    assert (attempt.next_attempt_at, attempt.started_at) == (None, from_ms(mark.started_at))
    assert await tale() == ["0#2 RETRY"]


async def test_a_handover_between_steps_tells_nothing(
    committer: Committer, claimed: Claimed, clock: ManualClock
) -> None:
    entry = entry_of(claimed)

    entry.position = 3
    entry.hand_over()
    await ledger.record(committer, entry)

    row = await stored()
    assert (row.status, row.wait_reason, row.owner) == ("WAITING", "HANDOVER", None)
    assert (row.ready_at, row.position, row.current_attempt) == (clock.now(), 3, 0)
    assert await tale() == []


async def test_a_handover_in_a_step_keeps_its_place(
    committer: Committer, claimed: Claimed, mark: AttemptMark
) -> None:
    entry = entry_of(claimed)

    entry.hand_over_step(place(1), mark, WHY)
    await ledger.record(committer, entry)

    row = await stored()
    assert (row.wait_reason, row.position, row.current_attempt) == ("HANDOVER", 1, 2)
    assert row.step_started_at == from_ms(mark.step_started_at)
    assert await tale() == ["1#2 RETRY"]


async def test_a_completed_execution_is_let_go(
    committer: Committer, claimed: Claimed, mark: AttemptMark, clock: ManualClock
) -> None:
    entry = entry_of(claimed)

    entry.end_step(place(), mark, RAN)
    entry.complete({"v": 1})
    await ledger.record(committer, entry)

    row = await stored()
    assert (row.status, row.output, row.finished_at) == ("COMPLETED", {"v": 1}, clock.now())
    assert (row.owner, row.ready_at, row.current_path, row.step_started_at) == (None,) * 4
    assert await tale() == ["0#2 COMPLETED", "COMPLETED"]


async def test_an_output_that_is_not_json_ends_nothing(claimed: Claimed) -> None:
    entry = entry_of(claimed)

    with pytest.raises(InvalidInput):
        entry.complete({"v": float("nan")})

    assert (entry.status, entry.events) == (ExecutionStatus.RUNNING, [])


async def test_a_failure_opens_a_dead_letter_if_told(
    committer: Committer, claimed: Claimed
) -> None:
    entry = entry_of(claimed)

    entry.fail(WHY, opens_dead_letter=True)
    await ledger.record(committer, entry)

    (letter,) = await DeadLetter.all()
    assert (letter.status, letter.error_code, letter.error) == ("OPEN", "X", WHY)
    assert (letter.execution_id, letter.workspace_id) == (claimed.id, "ws_1")


async def test_a_failure_that_a_person_waits_for_opens_none(
    committer: Committer, claimed: Claimed
) -> None:
    entry = entry_of(claimed)

    entry.fail(WHY, opens_dead_letter=False)
    await ledger.record(committer, entry)

    assert (await stored()).error == WHY
    assert await DeadLetter.all() == []


async def test_cancelling_a_step_ends_both(
    committer: Committer, claimed: Claimed, mark: AttemptMark
) -> None:
    entry = entry_of(claimed)

    entry.cancel_step(place(), mark)
    await ledger.record(committer, entry)

    assert (await StepExecution.all())[0].status == "CANCELLED"
    assert await tale() == ["0#2 CANCELLED", "CANCELLED"]


@pytest.mark.parametrize(
    "move",
    [
        lambda entry: entry.complete({}),
        lambda entry: entry.fail(WHY, opens_dead_letter=False),
        lambda entry: entry.cancel(),
        lambda entry: entry.hand_over(),
        lambda entry: entry.park_for_retry(
            place(), AttemptMark(1, 1, 1), Ended(failed(WHY)), timedelta(0)
        ),
    ],
    ids=["complete", "fail", "cancel", "hand over", "park"],
)
@pytest.mark.parametrize("status", sorted(FINAL))
def test_no_move_leaves_a_final_status(move: Any, status: ExecutionStatus) -> None:
    entry = Entry("ex_1", 1, 1, 0, status=status)

    with pytest.raises(InvalidStatus):
        move(entry)


async def test_usage_adds_up_and_remembers_what_is_unknown(
    committer: Committer, claimed: Claimed, mark: AttemptMark
) -> None:
    entry = entry_of(claimed)
    entry.end_step(place(0), mark, replace(RAN, usage=Usage(1, 2, 3)))
    entry.end_step(place(1), mark, replace(RAN, usage=Usage(10, 20, None)))
    recorded = await ledger.record(committer, entry)
    more = Entry(claimed.id, claimed.fence, recorded.last_seq, 2)
    more.end_step(place(2), mark, replace(RAN, usage=Usage(100, 200, 300)))
    await ledger.record(committer, more)

    row = await stored()
    assert (row.prompt_tokens, row.completion_tokens, row.cost_micros) == (111, 222, 303)
    assert row.has_unknown_cost


async def test_a_lost_lease_writes_nothing(
    committer: Committer, claimed: Claimed, clock: ManualClock, database: Database
) -> None:
    clock.move(milliseconds=LEASE_MS)
    await committer.claim("w2", 1, LEASE_MS)
    before = await rows_of(database)
    entry = entry_of(claimed)
    entry.complete({})

    with pytest.raises(LeaseLost, match=claimed.id):
        await ledger.record(committer, entry)

    assert await rows_of(database) == before


async def test_a_step_has_one_result(
    committer: Committer, claimed: Claimed, mark: AttemptMark, database: Database
) -> None:
    entry = entry_of(claimed)
    entry.end_step(place(), mark, RAN)
    recorded = await ledger.record(committer, entry)
    again = Entry(claimed.id, claimed.fence, recorded.last_seq, 0)
    again.end_step(place(), mark, RAN)

    with pytest.raises(Exception, match=r"(?i)not.null"):
        await ledger.record(committer, again)

    assert await count(database, "step_executions") == 1
    assert (await stored()).last_seq == recorded.last_seq


async def cancel(database: Database, clock: ManualClock, id: str, why: str | None = "no") -> Any:
    """Cancel from outside."""
    return await Interventions(database, clock).cancel("ws_1", id, why)


async def test_what_nobody_holds_is_cancelled_at_once(
    committer: Committer, database: Database, clock: ManualClock
) -> None:
    asked = opening()
    await committer.open(asked)

    assert await cancel(database, clock, asked.id) is ExecutionStatus.PENDING

    row = await stored()
    assert (row.status, row.cancel_reason, row.finished_at) == ("CANCELLED", "no", clock.now())
    assert [each.seq for each in await ExecutionEvent.all().order_by("seq")] == [1, 2]
    assert await cancel(database, clock, asked.id) is ExecutionStatus.CANCELLED


async def test_a_holder_is_asked_once(
    claimed: Claimed, database: Database, clock: ManualClock
) -> None:
    assert await cancel(database, clock, claimed.id) is ExecutionStatus.RUNNING
    asked_at = clock.now()
    clock.move(seconds=1)
    await cancel(database, clock, claimed.id, "later")

    row = await stored()
    assert (row.status, row.cancel_requested_at, row.cancel_reason) == ("RUNNING", asked_at, "no")


async def test_another_workspace_cancels_nothing(claimed: Claimed, database: Database) -> None:
    found = await Interventions(database, ManualClock()).cancel("ws_2", claimed.id, None)

    assert found is None
    assert (await stored()).cancel_requested_at is None
