"""Proves that an execution is stored with what it takes over, whole or not at all.

The same suite runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.clock import to_ms
from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Columns, Opening
from promptpilot.engine.events import step_changed
from promptpilot.engine.ledger_rows import event_row
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.models import DeadLetter, LargeOutput
from promptpilot.models.database import Database
from tests.support.clock import ManualClock
from tests.support.ledgers import TABLES, count, keyed_opening, opening, rows_of

LEASE_MS = 15_000


def taken_row(id: str, position: int, **columns: Any) -> Columns:
    """Make the row of a step that is taken over."""
    return {
        "execution_id": id,
        "path": str(position),
        "position": position,
        "step_id": f"st_{position}",
        "step_name": f"s{position}",
        "step_type": "TRANSFORM",
        "status": "COMPLETED",
        "skip_reason": None,
        "attempt": 0,
        "fence": 0,
        "started_at": None,
        "attempt_started_at": 7,
        "input": '{"in":[1,"ä"]}',
        "output": '{"z":1.5,"a":"\\u00e4"}',
        "output_bytes": None,
        "error": None,
        "model_calls": None,
        "reused_from": "sx_1-0",
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cost_micros": 0,
        **columns,
    }


def repeat(made: Opening | None = None, steps: int = 2, **columns: Any) -> Opening:
    """Make an execution that takes over so many steps; `columns` are those of the last."""
    made = made or opening()
    rows = [taken_row(made.id, position) for position in range(steps)]
    rows[-1] |= columns
    done = (StepStatus.PENDING, StepStatus.COMPLETED)
    events = [event_row(made.id, n + 2, step_changed(str(n), 0, *done)) for n in range(steps)]
    return replace(made, position=steps, steps=tuple(rows), events=tuple(events))


async def store_dead_letter(status: str = "OPEN") -> str:
    """Store a dead letter; return its id."""
    row = await DeadLetter.create(
        id=ids.new_id(ids.Kind.DEAD_LETTER),
        workspace_id="ws_1",
        workflow_id="wf_1",
        execution_id=ids.new_id(ids.Kind.EXECUTION),
        status=status,
        error={},
        error_code="X",
        created_at=ManualClock().now(),
        resolved_at=None if status == "OPEN" else ManualClock().now(),
    )
    return row.id


async def test_what_is_taken_over_is_stored_as_it_is(
    committer: Committer, database: Database, clock: ManualClock
) -> None:
    asked = repeat(opening(retry_of_id="ex_old"), skip_reason="GUARD", error='{"code":"X"}')

    at = await committer.open(asked)

    _, stored = await database.fetch("SELECT * FROM step_executions ORDER BY position")
    given = dict(asked.steps[1])
    assert at == stored.pop("finished_at") == to_ms(clock.now())
    assert stored.pop("wake_at") is None
    assert stored == given


async def test_the_events_of_what_is_taken_over_follow_the_first(
    committer: Committer, database: Database
) -> None:
    asked = repeat()

    await committer.open(asked)

    rows = (await rows_of(database))["execution_events"]
    told = [(row["seq"], row["path"], row["from_status"], row["to_status"]) for row in rows]
    assert sorted(told) == [
        (1, None, None, "PENDING"),
        (2, "0", "PENDING", "COMPLETED"),
        (3, "1", "PENDING", "COMPLETED"),
    ]


async def test_it_is_claimed_where_it_begins(committer: Committer, database: Database) -> None:
    asked = replace(repeat(), deadline_in_ms=5_000)
    at = await committer.open(asked)

    (claimed,) = await committer.claim("w1", 1, LEASE_MS)

    assert at is not None
    assert (claimed.id, claimed.position, claimed.last_seq) == (asked.id, 2, 4)
    assert (claimed.current_attempt, claimed.deadline_at) == (0, at + 5_000)


async def test_a_group_keeps_apart_what_each_takes_over(
    committer: Committer, database: Database
) -> None:
    asked = [repeat(steps=1 + number % 3) for number in range(9)] + [opening()]

    await asyncio.gather(*map(committer.open, asked))

    rows = await rows_of(database)
    for each in asked:
        steps = [row for row in rows["step_executions"] if row["execution_id"] == each.id]
        events = [row for row in rows["execution_events"] if row["execution_id"] == each.id]
        assert len(steps) == len(each.steps) == len(events) - 1


@pytest.mark.parametrize("kind", ["plain", "keyed", "dead letter"])
async def test_a_repeat_sent_again_is_recognised(
    committer: Committer, database: Database, clock: ManualClock, kind: str
) -> None:
    asked = repeat(keyed_opening() if kind == "keyed" else opening(retry_of_id="ex_old"))
    if kind == "dead letter":
        asked = replace(asked, dead_letter_id=await store_dead_letter())
    first = await committer.open(asked)
    before = await rows_of(database)
    clock.move(seconds=1)

    again = await committer.open(asked)

    assert again == first is not None
    assert await rows_of(database) == before


@pytest.mark.parametrize(
    "row",
    [{"status": "NONSENSE"}, {"step_id": None}, {"path": "0"}],
    ids=["status", "no step", "twice"],
)
async def test_a_bad_step_takes_its_whole_execution_with_it(
    committer: Committer, database: Database, row: dict[str, Any]
) -> None:
    letter = await store_dead_letter()
    bad = replace(repeat(**row), dead_letter_id=letter)

    answers = await asyncio.gather(
        *map(committer.open, [repeat(), bad, repeat()]), return_exceptions=True
    )

    assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]
    assert await count(database, "executions") == 2
    assert await count(database, "step_executions") == 4
    assert (await DeadLetter.get(id=letter)).status == "OPEN"


@pytest.mark.parametrize("status", ["REPLAYED", "DISCARDED", None])
async def test_a_dead_letter_that_is_not_open_admits_nothing(
    committer: Committer, database: Database, status: str | None
) -> None:
    letter = await store_dead_letter(status) if status else ids.new_id(ids.Kind.DEAD_LETTER)
    before = await rows_of(database)

    assert await committer.open(replace(repeat(), dead_letter_id=letter)) is None

    assert await rows_of(database) == before


async def test_one_of_forty_replays_of_a_dead_letter_is_stored(
    committer: Committer, neighbour: Committer, database: Database
) -> None:
    letter = await store_dead_letter()
    asked = [replace(repeat(), dead_letter_id=letter) for _ in range(40)]

    answers = await asyncio.gather(
        *[(committer, neighbour)[n % 2].open(each) for n, each in enumerate(asked)]
    )

    (winner,) = [each for each, at in zip(asked, answers, strict=True) if at is not None]
    row = await DeadLetter.get(id=letter)
    assert (row.status, row.replay_execution_id) == ("REPLAYED", winner.id)
    assert await count(database, "executions") == 1
    assert await count(database, "step_executions") == 2


async def test_neighbours_that_replay_the_same_many_do_not_stop_each_other(
    committer: Committer, neighbour: Committer, database: Database
) -> None:
    letters = [await store_dead_letter() for _ in range(30)]
    orders = [(committer, letters), (neighbour, letters[::-1])] * 3

    answers = await asyncio.gather(
        *[door.open(replace(repeat(), dead_letter_id=each)) for door, ids in orders for each in ids]
    )

    assert len([at for at in answers if at is not None]) == 30
    assert await count(database, "executions") == 30


async def test_replays_and_others_share_a_group(committer: Committer, database: Database) -> None:
    letters = [await store_dead_letter() for _ in range(3)]
    replays = [replace(repeat(), dead_letter_id=each) for each in letters]
    others = [opening(), keyed_opening(), repeat(keyed_opening("k2"))]

    answers = await asyncio.gather(*map(committer.open, [*replays, *others]))

    assert None not in answers
    assert await DeadLetter.filter(status="REPLAYED").count() == 3
    assert await count(database, "executions") == 6


async def test_outputs_kept_aside_go_with_their_steps(
    committer: Committer, database: Database, clock: ManualClock
) -> None:
    old = ids.new_id(ids.Kind.EXECUTION)
    for path, body in (("0", '"zero"'), ("1", '"ä"'), ("2", '"two"'), ("$", '"all"')):
        row = {"sha256": path, "body": body, "created_at": clock.now()}
        await LargeOutput.bulk_create([LargeOutput(execution_id=old, path=path, **row)])
    clock.move(hours=1)
    asked = repeat(opening(retry_of_id=old), output_bytes=70_000)

    at = await committer.open(asked)
    await committer.open(asked)

    rows = await database.fetch("SELECT * FROM large_outputs WHERE execution_id = $1", asked.id)
    copy = {"execution_id": asked.id, "path": "1", "sha256": "1", "body": '"ä"', "created_at": at}
    assert rows == [copy]
    assert await count(database, TABLES[1]) == 2
