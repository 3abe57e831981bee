"""Proves that a committer stores all that it confirms and nothing of what it refuses.

The same suite runs on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from promptpilot.engine.commits import Committer
from promptpilot.engine.commits.items import Claimed, FencedWrite, Opening, Renewal
from promptpilot.models.database import Database
from tests.support.clock import ManualClock
from tests.support.ledgers import (
    begun,
    count,
    entry_of,
    fired_opening,
    full_write,
    handed_over,
    keyed_opening,
    opening,
    parked,
    paused,
    rows_of,
)

LEASE_MS = 15_000


async def claim_one(committer: Committer, **columns: Any) -> Claimed:
    """Store an execution and claim it."""
    await committer.open(opening(**columns))
    (claimed,) = await committer.claim("w1", 1, LEASE_MS)
    return claimed


async def test_an_opening_is_stored_with_its_first_event(
    committer: Committer, database: Database
) -> None:
    asked = fired_opening()

    await committer.open(asked)

    rows = await rows_of(database)
    assert [row["id"] for row in rows["executions"]] == [asked.id]
    assert [(row["seq"], row["to_status"]) for row in rows["execution_events"]] == [(1, "PENDING")]
    assert [row["execution_id"] for row in rows["firings"]] == [asked.id]


@pytest.mark.parametrize(
    "asked",
    [opening(), keyed_opening(), fired_opening(), fired_opening(None)],
    ids=["plain", "keyed", "fired", "fired by hand"],
)
async def test_an_opening_sent_again_is_recognised(
    committer: Committer, database: Database, clock: ManualClock, asked: Opening
) -> None:
    first = await committer.open(asked)
    before = await rows_of(database)
    clock.move(seconds=1)

    again = await committer.open(asked)

    assert again == first is not None
    assert await rows_of(database) == before


@pytest.mark.parametrize("make", [keyed_opening, fired_opening])
async def test_twenty_openings_with_one_key_make_one_execution(
    committer: Committer, neighbour: Committer, database: Database, make: Any
) -> None:
    asked = [make() for _ in range(20)]

    outcomes = await asyncio.gather(
        *[(committer, neighbour)[n % 2].open(each) for n, each in enumerate(asked)]
    )

    assert len([at for at in outcomes if at is not None]) == 1
    assert await count(database, "executions") == 1
    assert await count(database, "execution_events") == 1


async def test_an_idempotency_key_is_free_again_after_a_day(
    committer: Committer, clock: ManualClock
) -> None:
    await committer.open(keyed_opening())

    clock.move(hours=23, minutes=59, seconds=59)
    assert await committer.open(keyed_opening()) is None
    clock.move(seconds=1)
    assert await committer.open(keyed_opening()) is not None


async def test_fifty_claims_of_one_execution_have_one_winner(
    committer: Committer, neighbour: Committer
) -> None:
    await committer.open(opening())

    answers = await asyncio.gather(
        *[(committer, neighbour)[n % 2].claim(f"w{n}", 5, LEASE_MS) for n in range(50)]
    )

    assert sum(len(claimed) for claimed in answers) == 1


async def test_claims_take_what_is_due_and_no_more_than_the_limit(
    committer: Committer, clock: ManualClock
) -> None:
    waiting = opening(status="WAITING", wait_reason="DELAY")
    later = Opening(waiting.execution, start_in_ms=1000)
    for each in (opening(), opening(), later):
        await committer.open(each)

    taken = [len(await committer.claim("w1", limit, LEASE_MS)) for limit in (1, 10, 10)]
    clock.move(seconds=1)

    assert taken == [1, 1, 0]
    (woken,) = await committer.claim("w1", 10, LEASE_MS)
    assert (woken.id, woken.waited_for) == (later.id, "DELAY")


async def test_a_claim_tells_what_it_took(committer: Committer, database: Database) -> None:
    asked = opening(trigger_data='{"payload":1}', input='{"a":1}')
    await committer.open(asked)

    (claimed,) = await committer.claim("w1", 1, LEASE_MS)

    assert (claimed.id, claimed.fence, claimed.last_seq, claimed.crashes) == (asked.id, 1, 2, 0)
    assert (claimed.input, claimed.trigger_data) == ('{"a":1}', '{"payload":1}')
    told = (await rows_of(database))["execution_events"][-1]
    assert (told["from_status"], told["to_status"]) == ("PENDING", "RUNNING")


async def test_an_expired_lease_is_claimed_without_an_event(
    committer: Committer, clock: ManualClock, database: Database
) -> None:
    first = await claim_one(committer)
    assert await committer.claim("w2", 1, LEASE_MS) == []

    clock.move(milliseconds=LEASE_MS)
    (second,) = await committer.claim("w2", 1, LEASE_MS)

    assert (second.fence, second.crashes, second.last_seq) == (2, 1, first.last_seq)
    assert await count(database, "execution_events") == first.last_seq


async def test_a_handover_is_claimed_at_once_and_not_told(
    committer: Committer, database: Database
) -> None:
    first = await claim_one(committer)
    await committer.record(handed_over(first))

    (second,) = await committer.claim("w2", 1, LEASE_MS)

    assert (second.fence, second.crashes, second.waited_for) == (2, 0, "HANDOVER")
    assert await count(database, "execution_events") == first.last_seq


async def test_a_write_reaches_every_table_at_once(
    committer: Committer, database: Database
) -> None:
    claimed = await claim_one(committer)

    recorded = await committer.record(full_write(claimed))

    assert recorded is not None
    rows = await rows_of(database)
    assert [row["seq"] for row in rows["execution_events"]] == list(range(1, recorded.last_seq + 1))
    assert [len(rows[name]) for name in ("step_executions", "step_attempts", "dead_letters")] == [
        1,
        1,
        1,
    ]


@pytest.mark.parametrize(
    "change",
    [{"fence": 7}, {"fence": 0}, {"expected_seq": 1}, {"expected_seq": 3}, {"id": "ex_other"}],
    ids=str,
)
async def test_a_refused_write_writes_nothing_at_all(
    committer: Committer, database: Database, change: dict[str, Any]
) -> None:
    claimed = await claim_one(committer)
    before = await rows_of(database)

    assert await committer.record(replace(full_write(claimed), **change)) is None

    assert await rows_of(database) == before


async def test_a_final_execution_takes_no_write(committer: Committer, database: Database) -> None:
    claimed = await claim_one(committer)
    done = await committer.record(full_write(claimed))
    before = await rows_of(database)
    assert done is not None

    entry = entry_of(replace(claimed, last_seq=done.last_seq))
    entry.complete({})

    assert await committer.record(entry.as_write()) is None
    assert await committer.renew([Renewal(claimed.id, claimed.fence, LEASE_MS)]) == [None]
    assert await rows_of(database) == before


@pytest.mark.parametrize("make", [begun, full_write, handed_over])
async def test_a_write_sent_again_is_recognised(
    committer: Committer, database: Database, make: Any
) -> None:
    write: FencedWrite = make(await claim_one(committer))
    first = await committer.record(write)
    before = await rows_of(database)

    again = await committer.record(write)

    assert first is not None
    assert again is not None
    assert again.last_seq == first.last_seq
    assert await rows_of(database) == before


async def test_a_write_sent_again_keeps_its_instant(
    committer: Committer, clock: ManualClock
) -> None:
    write = begun(await claim_one(committer))
    first = await committer.record(write)
    clock.move(seconds=1)

    assert await committer.record(write) == first


@pytest.mark.parametrize("make", [begun, full_write, handed_over])
async def test_a_stale_write_is_not_taken_for_the_new_holders(
    committer: Committer, clock: ManualClock, make: Any
) -> None:
    stale = await claim_one(committer)
    clock.move(milliseconds=LEASE_MS)
    (fresh,) = await committer.claim("w2", 1, LEASE_MS)

    answers = await asyncio.gather(
        committer.record(make(stale)), committer.record(begun(fresh)), committer.record(make(stale))
    )

    assert [answer is not None for answer in answers] == [False, True, False]


async def test_a_stale_beat_is_not_taken_for_the_new_holders(
    committer: Committer, clock: ManualClock
) -> None:
    stale = await claim_one(committer)
    clock.move(milliseconds=LEASE_MS)
    (fresh,) = await committer.claim("w2", 1, LEASE_MS)

    beats = [Renewal(each.id, each.fence, LEASE_MS) for each in (stale, fresh)]
    answers = await committer.renew(beats)

    assert [answer is not None for answer in answers] == [False, True]


async def test_a_beat_prolongs_the_lease(committer: Committer, clock: ManualClock) -> None:
    claimed = await claim_one(committer)

    clock.move(milliseconds=LEASE_MS - 1)
    await committer.renew([Renewal(claimed.id, claimed.fence, LEASE_MS)])
    clock.move(milliseconds=LEASE_MS - 1)

    assert await committer.claim("w2", 1, LEASE_MS) == []


async def test_what_was_asked_meanwhile_comes_with_beats_and_writes(
    committer: Committer, database: Database
) -> None:
    claimed = await claim_one(committer)
    await database.execute("UPDATE executions SET cancel_requested_at = 1, pause_requested_at = 1")

    (beat,) = await committer.renew([Renewal(claimed.id, claimed.fence, LEASE_MS)])
    write = await committer.record(handed_over(claimed))

    assert beat is not None
    assert write is not None
    assert (beat.is_cancel_requested, beat.is_pause_requested) == (True, True)
    assert (write.is_cancel_requested, write.is_pause_requested) == (True, True)


@pytest.mark.parametrize("asked", ["cancel_requested_at", "pause_requested_at"])
@pytest.mark.parametrize("begins", [begun, parked])
async def test_neither_a_step_nor_a_wait_begins_over_a_request(
    committer: Committer,
    database: Database,
    asked: str,
    begins: Callable[[Claimed], FencedWrite],
) -> None:
    claimed = await claim_one(committer)
    await database.execute(f"UPDATE executions SET {asked} = 1")  # noqa: S608 -- a constant
    before = await rows_of(database)

    assert await committer.record(begins(claimed)) is None

    assert await rows_of(database) == before


async def test_a_pause_that_is_not_asked_for_does_not_begin(committer: Committer) -> None:
    claimed = await claim_one(committer)

    assert await committer.record(paused(claimed)) is None


async def test_a_pause_does_not_begin_over_a_cancellation(
    committer: Committer, database: Database
) -> None:
    claimed = await claim_one(committer)
    await database.execute("UPDATE executions SET pause_requested_at = 1")
    await database.execute("UPDATE executions SET cancel_requested_at = 1")

    assert await committer.record(paused(claimed)) is None


@pytest.mark.parametrize("is_bad", ["opening", "write"])
async def test_a_bad_row_fails_alone(committer: Committer, database: Database, is_bad: str) -> None:
    claims = [await claim_one(committer) for _ in range(3)]
    writes = [begun(each) for each in claims]
    openings = [opening(), opening(), opening()]
    if is_bad == "opening":
        openings[1].execution["status"] = "NONSENSE"
    else:
        writes[1] = replace(writes[1], columns={**writes[1].columns, "status": "COMPLETED"})

    writing = [committer.record(each) for each in writes]
    answers = await asyncio.gather(*writing, *map(committer.open, openings), return_exceptions=True)

    bad = [n for n, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert bad == ([4] if is_bad == "opening" else [1])
    assert await count(database, "executions") == (5 if is_bad == "opening" else 6)


async def test_a_bad_event_takes_its_whole_write_with_it(
    committer: Committer, database: Database
) -> None:
    claimed = await claim_one(committer)
    before = await rows_of(database)
    write = full_write(claimed)
    events = ({**write.events[0], "number": 0}, *write.events[1:])

    with pytest.raises(Exception, match=r"(?i)unique"):
        await committer.record(replace(write, events=events))

    assert await rows_of(database) == before
