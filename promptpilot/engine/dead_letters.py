"""Resolves dead letters: runs their executions again, or puts them aside.

Rules: all that is asked is checked before anything is done. A dead letter is replayed at most
once, whoever races: the commit that stores the new execution is the one that resolves it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Final

import structlog

from promptpilot import ids as known_ids
from promptpilot.clock import Clock, to_ms
from promptpilot.engine.gathering import gather, raise_all
from promptpilot.engine.ownership import not_found
from promptpilot.engine.principal import Principal
from promptpilot.engine.repeats import Repeats
from promptpilot.errors import CallerError, InvalidInput, InvalidStatus, InvariantBroken
from promptpilot.models import DeadLetter
from promptpilot.models.database import Database

MAX_IDS: Final = 500

_IDS_PATH: Final = ("input", "ids")
#: Replays that go on at the same time, so that they share commits.
_TOGETHER: Final = 20

log = structlog.get_logger(__name__)

_DISCARD = """
UPDATE dead_letters SET status = 'DISCARDED', resolved_by = $1, resolved_at = $2
WHERE status = 'OPEN' AND workspace_id = $3 AND id IN ({ids})
"""


class DeadLetterStatus(StrEnum):
    """What became of a dead letter."""

    OPEN = "OPEN"  #: somebody has to look at it
    REPLAYED = "REPLAYED"  #: run again
    DISCARDED = "DISCARDED"  #: put aside


class DeadLetters:
    """Replays and discards dead letters."""

    def __init__(self, database: Database, clock: Clock, repeats: Repeats) -> None:
        self._database = database
        self._clock = clock
        self._repeats = repeats

    async def replay(self, principal: Principal, ids: Sequence[str]) -> list[DeadLetter]:
        """Run the executions again from where they failed; return the dead letters as they are now.

        One that was replayed before stays as it is. Raises `InvalidInput` unless there are 1 to
        500 ids, `NotFound` and `InvalidStatus` for those that are not there or were discarded;
        then nothing was done. `InvalidStatus` also names executions that cannot be run again,
        after all others were.
        """
        rows = await self._checked(principal, ids, DeadLetterStatus.DISCARDED)
        wanted = [row for row in rows if row.status == DeadLetterStatus.OPEN]
        faults: list[InvalidStatus] = []
        for start in range(0, len(wanted), _TOGETHER):
            faults += await self._replay_some(principal, wanted[start : start + _TOGETHER], ids)
        raise_all(faults)
        return await self._checked(principal, ids, DeadLetterStatus.DISCARDED)

    async def discard(self, principal: Principal, ids: Sequence[str]) -> list[DeadLetter]:
        """Put dead letters aside; return them as they are now. Discarding again changes nothing.

        Raises `InvalidInput` unless there are 1 to 500 ids, `NotFound` and `InvalidStatus` for
        those that are not there or were replayed; then nothing was done.
        """
        await self._checked(principal, ids, DeadLetterStatus.REPLAYED)
        return await self._database.retry(lambda: self._discard(principal, ids))

    async def _discard(self, principal: Principal, ids: Sequence[str]) -> list[DeadLetter]:
        wanted = list(dict.fromkeys(ids))
        places = ", ".join(f"${number}" for number in range(4, 4 + len(wanted)))
        by = (principal.user_id, to_ms(self._clock.now()), principal.workspace_id)
        async with self._database.transaction():
            await self._database.execute(_DISCARD.format(ids=places), *by, *wanted)
            return await self._checked(principal, ids, DeadLetterStatus.REPLAYED)

    async def _checked(
        self, principal: Principal, ids: Sequence[str], refused: DeadLetterStatus
    ) -> list[DeadLetter]:
        """Return the dead letters, each once, in the order that was asked for."""
        if not 1 <= len(ids) <= MAX_IDS:
            message = f"Give 1 to {MAX_IDS} ids; these are {len(ids)}."
            raise InvalidInput(message, _IDS_PATH)
        found = await self._find(principal, ids)
        wanted = list(dict.fromkeys(ids))
        gather(*(partial(_check, one, found.get(one), refused, ids.index(one)) for one in wanted))
        return [found[one] for one in wanted]

    async def _find(self, principal: Principal, ids: Sequence[str]) -> dict[str, DeadLetter]:
        wanted = [one for one in ids if known_ids.is_id(one, known_ids.Kind.DEAD_LETTER)]
        rows = await DeadLetter.filter(id__in=wanted, workspace_id=principal.workspace_id)
        return {row.id: row for row in rows}

    async def _replay_some(
        self, principal: Principal, rows: Sequence[DeadLetter], ids: Sequence[str]
    ) -> list[InvalidStatus]:
        """Replay dead letters at the same time; return what went wrong with each."""
        replays = [self._repeats.replay(principal, row.execution_id, row.id) for row in rows]
        outcomes = await asyncio.gather(*replays, return_exceptions=True)
        pairs = zip(rows, outcomes, strict=True)
        failures = [(row, each) for row, each in pairs if isinstance(each, BaseException)]
        return [_stuck(row, error, ids.index(row.id)) for row, error in failures]


def _stuck(row: DeadLetter, error: BaseException, place: int) -> InvalidStatus:
    """Return why an execution was not run again; raise what is nobody's fault, or unforeseen."""
    if not isinstance(error, CallerError | InvariantBroken):
        raise error
    why = error.message
    if isinstance(error, InvariantBroken):
        log.error("dead_letter.stuck", dead_letter_id=row.id, error=why)
        why = "Its workflow version cannot be read; discard the dead letter."
    message = f"Execution {row.execution_id} cannot be run again. {why}"
    return InvalidStatus(message, row.status, (*_IDS_PATH, str(place)))


def _check(id: str, row: DeadLetter | None, refused: DeadLetterStatus, place: int) -> None:
    """Raise `NotFound` or `InvalidStatus` for a dead letter that cannot be resolved as asked."""
    path = (*_IDS_PATH, str(place))
    if row is None:
        raise not_found(known_ids.Kind.DEAD_LETTER, id, path)
    if row.status == refused:
        message = f"The dead letter was {refused.lower()} already, which cannot be undone."
        raise InvalidStatus(message, refused, path)
