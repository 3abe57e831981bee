"""Proves that dead letters are replayed at most once, and that all is checked before any is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from promptpilot import ids
from promptpilot.engine.api import Engine
from promptpilot.engine.commits import open_committer
from promptpilot.engine.dead_letters import DeadLetters
from promptpilot.engine.principal import Principal
from promptpilot.engine.triggers.kinds import TriggerType
from promptpilot.engine.versions import Versions
from promptpilot.errors import (
    CallerError,
    InvalidInput,
    InvalidMany,
    InvalidStatus,
    NotFound,
    Unavailable,
)
from promptpilot.models import DeadLetter, Execution, WorkflowVersion
from tests.support.bench import Bench
from tests.support.committers import Around, LostAnswers
from tests.support.fakes import FakeWaker
from tests.support.models import ScriptedModel, asking, workflow
from tests.support.repeating import NO, Repeater, reused

ONE = workflow(asking("a"))


@pytest.fixture
def repeater(bench: Bench, principal: Principal) -> Repeater:
    """Give what runs executions again; its model never answers."""
    return Repeater(bench, principal, ScriptedModel(NO))


async def letters(repeater: Repeater, count: int = 1) -> list[DeadLetter]:
    """Let so many executions fail; return their dead letters, the oldest first."""
    started = [await repeater.bench.launch(ONE) for _ in range(count)]
    for execution_id in started:
        await repeater.finish(execution_id)
    rows = {row.execution_id: row for row in await DeadLetter.all()}
    return [rows[execution_id] for execution_id in started]


async def resolve(repeater: Repeater, status: str) -> DeadLetter:
    """Make a dead letter that was resolved before."""
    (row,) = await letters(repeater)
    verbs = repeater.dead_letters
    verb = verbs.replay if status == "REPLAYED" else verbs.discard
    return (await verb(repeater.principal, [row.id]))[0]


async def test_a_replay_resolves_the_dead_letter(repeater: Repeater, bench: Bench) -> None:
    (letter,) = await letters(repeater)
    bench.clock.move(hours=1)

    (row,) = await repeater.dead_letters.replay(repeater.principal, [letter.id])

    assert (row.id, row.status, row.resolved_at) == (letter.id, "REPLAYED", bench.clock.now())
    assert row.resolved_by == repeater.principal.user_id
    assert row.replay_execution_id is not None
    replay = await bench.stored(row.replay_execution_id)
    assert (replay.retry_of_id, replay.status) == (letter.execution_id, "PENDING")


async def test_a_replay_begins_at_the_step_that_failed(repeater: Repeater) -> None:
    repeater.model.answers = ["one", NO, "two"]
    failed = await repeater.run(workflow(asking("a"), asking("b")))
    letter = await DeadLetter.get(execution_id=failed)

    (row,) = await repeater.dead_letters.replay(repeater.principal, [letter.id])

    assert row.replay_execution_id is not None
    replay = await repeater.finish(row.replay_execution_id)
    assert (replay.status, len(repeater.model.asked)) == ("COMPLETED", 3)
    assert await reused(replay.id) == [ids.step_execution_id(failed, "0"), None]


async def test_a_replay_that_fails_is_a_dead_letter_of_its_own(repeater: Repeater) -> None:
    first = await resolve(repeater, "REPLAYED")
    assert first.replay_execution_id is not None

    await repeater.finish(first.replay_execution_id)

    second = await DeadLetter.get(execution_id=first.replay_execution_id)
    assert (second.status, second.id != first.id) == ("OPEN", True)


async def test_what_a_person_started_is_no_dead_letter_when_it_is_repeated(
    repeater: Repeater,
) -> None:
    failed = await repeater.run(ONE, trigger_type=TriggerType.MANUAL)

    await repeater.repeat(failed)

    assert await DeadLetter.all().count() == 0


async def test_a_replay_sent_again_starts_nothing(repeater: Repeater) -> None:
    replayed = await resolve(repeater, "REPLAYED")

    (again,) = await repeater.dead_letters.replay(repeater.principal, [replayed.id])

    assert again.replay_execution_id == replayed.replay_execution_id
    assert await Execution.all().count() == 2


async def test_fifty_replays_of_one_dead_letter_start_one_execution(
    repeater: Repeater, bench: Bench
) -> None:
    (letter,) = await letters(repeater)
    other = await open_committer(bench.database, clock=bench.clock)
    doors = [repeater.dead_letters, dead_letters_by(repeater, other)]

    answers = await asyncio.gather(
        *[doors[n % 2].replay(repeater.principal, [letter.id]) for n in range(50)]
    )
    await other.close()

    assert len({row.replay_execution_id for (row,) in answers}) == 1
    assert await Execution.filter(retry_of_id=letter.execution_id).count() == 1


def dead_letters_by(repeater: Repeater, committer: Any) -> DeadLetters:
    """Give what resolves dead letters, on another way in for writes."""
    bench = repeater.bench
    return DeadLetters(bench.database, bench.clock, repeater.repeats_by(committer))


async def test_a_replay_whose_answer_was_lost_is_one(repeater: Repeater) -> None:
    (letter,) = await letters(repeater)
    verbs = dead_letters_by(repeater, LostAnswers(repeater.bench.committer))

    (row,) = await verbs.replay(repeater.principal, [letter.id])

    assert row.status == "REPLAYED"
    assert await Execution.all().count() == 2


async def test_replaying_and_discarding_at_once_have_one_winner(repeater: Repeater) -> None:
    rows = await letters(repeater, 6)
    verbs, principal = repeater.dead_letters, repeater.principal

    tries = [verb(principal, [row.id]) for row in rows for verb in (verbs.replay, verbs.discard)]
    answers = await asyncio.gather(*tries, return_exceptions=True)

    pairs = list(zip(answers[::2], answers[1::2], strict=True))
    assert all(isinstance(one, list) != isinstance(other, list) for one, other in pairs)
    replayed = await DeadLetter.filter(status="REPLAYED").count()
    assert await Execution.exclude(retry_of_id=None).count() == replayed


async def test_many_are_resolved_in_the_order_that_was_asked_for(repeater: Repeater) -> None:
    rows = await letters(repeater, 25)
    asked = [row.id for row in reversed(rows)]

    replayed = await repeater.dead_letters.replay(repeater.principal, [*asked, *asked])

    assert [row.id for row in replayed] == asked
    assert {row.status for row in replayed} == {"REPLAYED"}
    assert len({row.replay_execution_id for row in replayed}) == 25


async def test_discarding_puts_aside_and_again_changes_nothing(
    repeater: Repeater, bench: Bench
) -> None:
    (letter,) = await letters(repeater)
    at = bench.clock.now()

    (first,) = await repeater.dead_letters.discard(repeater.principal, [letter.id])
    bench.clock.move(hours=1)
    (second,) = await repeater.dead_letters.discard(repeater.principal, [letter.id] * 2)

    assert (first.status, first.resolved_at) == ("DISCARDED", at)
    assert (first.resolved_by, first.replay_execution_id) == (repeater.principal.user_id, None)
    assert dict(first) == dict(second)  # type: ignore[call-overload]  # a row gives its columns


async def test_discarding_at_once_succeeds_for_everybody(repeater: Repeater) -> None:
    wanted = [row.id for row in await letters(repeater, 5)]
    orders = [wanted, wanted[::-1]] * 5

    answers = await asyncio.gather(
        *[repeater.dead_letters.discard(repeater.principal, order) for order in orders]
    )

    assert all({row.status for row in rows} == {"DISCARDED"} for rows in answers)


@pytest.mark.parametrize(("verb", "before"), [("replay", "DISCARDED"), ("discard", "REPLAYED")])
async def test_what_was_resolved_otherwise_is_refused(
    repeater: Repeater, verb: str, before: str
) -> None:
    resolved, (still_open,) = await resolve(repeater, before), await letters(repeater)

    with pytest.raises(InvalidStatus, match=f"was {before.lower()} already") as refusal:
        await getattr(repeater.dead_letters, verb)(repeater.principal, [still_open.id, resolved.id])

    assert (refusal.value.status, refusal.value.path) == (before, ("input", "ids", "1"))
    assert (await DeadLetter.get(id=still_open.id)).status == "OPEN"


@pytest.mark.parametrize("verb", ["replay", "discard"])
async def test_every_id_that_is_wrong_is_named_and_nothing_is_done(
    repeater: Repeater, stranger: Principal, verb: str
) -> None:
    (letter,) = await letters(repeater)
    unknown = ["", "\ud800", letter.execution_id, ids.new_id(ids.Kind.DEAD_LETTER)]

    with pytest.raises(InvalidMany) as refusal:
        await getattr(repeater.dead_letters, verb)(
            repeater.principal, [letter.id, *unknown, *unknown]
        )
    with pytest.raises(NotFound):
        await getattr(repeater.dead_letters, verb)(stranger, [letter.id])

    assert [error.path[-1] for error in refusal.value.errors] == ["1", "2", "3", "4"]
    assert (await DeadLetter.get(id=letter.id)).status == "OPEN"


@pytest.mark.parametrize("verb", ["replay", "discard"])
@pytest.mark.parametrize("count", [0, 501])
async def test_none_and_too_many_are_refused(repeater: Repeater, verb: str, count: int) -> None:
    wanted = [ids.new_id(ids.Kind.DEAD_LETTER)] * count

    with pytest.raises(InvalidInput, match="Give 1 to 500 ids") as refusal:
        await getattr(repeater.dead_letters, verb)(repeater.principal, wanted)

    assert refusal.value.path == ("input", "ids")


@pytest.mark.parametrize("spoil", ["unreadable", "gone", "no execution"])
async def test_what_cannot_be_run_again_is_named_and_the_others_are_done(
    repeater: Repeater, spoil: str
) -> None:
    stuck, fine = await letters(repeater, 2)
    await _spoil(stuck, spoil)
    repeater.bench.versions = Versions()

    with pytest.raises(InvalidStatus, match=f"Execution {stuck.execution_id} cannot") as refusal:
        await repeater.dead_letters.replay(repeater.principal, [fine.id, stuck.id])

    assert (refusal.value.status, refusal.value.path) == ("OPEN", ("input", "ids", "1"))
    statuses = [(await DeadLetter.get(id=row.id)).status for row in (stuck, fine)]
    assert statuses == ["OPEN", "REPLAYED"]


async def _spoil(letter: DeadLetter, how: str) -> None:
    execution = Execution.filter(id=letter.execution_id)
    versions = WorkflowVersion.filter(id=(await execution.get()).workflow_version_id)
    if how == "no execution":
        await execution.delete()
    elif how == "gone":
        await versions.delete()
    else:
        await versions.update(definition={"steps": 1})


class Away(Around):
    """Finds no database."""

    async def open(self, opening: Any) -> int | None:
        """Fail."""
        raise Unavailable("away")


async def test_a_database_that_is_away_is_nobodys_fault(repeater: Repeater) -> None:
    (letter,) = await letters(repeater)
    verbs = dead_letters_by(repeater, Away(repeater.bench.committer))

    with pytest.raises(Unavailable):
        await verbs.replay(repeater.principal, [letter.id])

    assert (await DeadLetter.get(id=letter.id)).status == "OPEN"


Verb = Callable[[Engine, Principal, DeadLetter], Awaitable[Any]]


@pytest.mark.parametrize(
    ("verb", "rings"),
    [
        (lambda engine, who, row: engine.replay_dead_letters(who, [row.id]), 1),
        (lambda engine, who, row: engine.discard_dead_letters(who, [row.id]), 0),
        (lambda engine, who, row: engine.retry_execution(who, row.execution_id), 1),
    ],
    ids=["replay", "discard", "retry"],
)
async def test_the_engine_rings_once_for_what_it_started(
    engine: Engine, repeater: Repeater, waker: FakeWaker, verb: Verb, rings: int
) -> None:
    (letter,) = await letters(repeater)
    before = waker.count

    await verb(engine, repeater.principal, letter)

    assert waker.count - before == rings


async def test_a_retry_that_came_before_rings_no_more(
    engine: Engine, repeater: Repeater, waker: FakeWaker
) -> None:
    (letter,) = await letters(repeater)
    first = await engine.retry_execution(
        repeater.principal, letter.execution_id, "a", idempotency_key="k"
    )
    before = waker.count

    again = await engine.retry_execution(
        repeater.principal, letter.execution_id, "a", idempotency_key="k"
    )

    assert (again.execution_id, again.is_new) == (first.execution_id, False)
    assert waker.count == before


async def test_others_are_rung_for_when_one_cannot_be_run_again(
    engine: Engine, repeater: Repeater, waker: FakeWaker
) -> None:
    stuck, fine = await letters(repeater, 2)
    await _spoil(stuck, "no execution")
    before = waker.count

    with pytest.raises(CallerError):
        await engine.replay_dead_letters(repeater.principal, [stuck.id, fine.id])

    assert waker.count == before + 1
