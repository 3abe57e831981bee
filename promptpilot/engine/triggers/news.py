"""Tells triggers and endpoints what became of executions: starts, ends, questions to people.

Rules: an execution's news are taken off it in the transaction that stores what is made of them,
events for triggers and messages for endpoints, and counts its failure; so each is told and counted
exactly once. Triggers are told afterwards; who sends the messages is no matter of this module.

After a crash: what was stored and not told is told by `Dispatcher.finish_pending`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from promptpilot.clock import Clock
from promptpilot.engine.lifecycle import ExecutionStatus
from promptpilot.engine.triggers.dispatch import Dispatcher
from promptpilot.engine.triggers.event_configs import matches_event_type
from promptpilot.engine.triggers.failures import End, Failures
from promptpilot.engine.triggers.tidings import DECISION_REQUIRED, END_TYPES, Tiding, event_of
from promptpilot.models import PlatformEvent
from promptpilot.models.address import Dialect
from promptpilot.models.columns import load_json
from promptpilot.models.database import Database

#: Executions whose news are taken at a time.
BATCH: Final = 200
#: Events that are told at the same time, so that what they start shares commits.
_TOGETHER: Final = 10

_ANY: Final = "SELECT 1 AS found FROM executions WHERE news_at IS NOT NULL LIMIT 1"
_TAKE: Final = """
SELECT id, workspace_id, status, trigger_id, error FROM executions
WHERE news_at IS NOT NULL ORDER BY news_at, id LIMIT $1
"""
_LISTENING: Final = """
SELECT workspace_id, config FROM triggers WHERE type = 'EVENT' AND workspace_id IN ({ids})
"""
#: A retry of a DECISION step waits too, but asks nobody. An execution starts once.
_READ: Final = """
SELECT e.id, e.workspace_id, e.workflow_id, w.name AS workflow_name, e.trigger_type, e.trigger_id,
    e.depth, e.error, e.output, e.output_bytes, v.seq, v.at, v.path, v.to_status, s.step_name,
    s.input AS asked
FROM executions e
JOIN execution_events v ON v.execution_id = e.id AND v.seq > e.told_seq
LEFT JOIN workflows w ON w.id = e.workflow_id
LEFT JOIN step_executions s ON s.execution_id = e.id AND s.path = v.path
WHERE e.id IN ({ids}) AND (
    v.path IS NULL AND v.to_status IN ('COMPLETED', 'FAILED', 'CANCELLED')
    OR v.path IS NULL AND v.to_status = 'RUNNING' AND NOT EXISTS (
        SELECT 1 FROM execution_events r WHERE r.execution_id = e.id AND r.seq < v.seq
            AND r.path IS NULL AND r.to_status = 'RUNNING')
    OR v.to_status = 'WAITING' AND s.step_type = 'DECISION' AND NOT EXISTS (
        SELECT 1 FROM execution_events r WHERE r.execution_id = e.id AND r.seq = v.seq - 1
            AND r.kind = 'STEP_RETRY_SCHEDULED' AND r.path = v.path))
ORDER BY e.news_at, e.id, v.seq
"""
_TOLD: Final = "UPDATE executions SET news_at = NULL, told_seq = last_seq WHERE id IN ({ids})"
_TYPES: Final = (*END_TYPES.values(), DECISION_REQUIRED)

_Rows = Sequence[Mapping[str, Any]]


class Outgoing(Protocol):
    """Keeps what is to be sent to other servers."""

    async def wanted(self, workspace_ids: Iterable[str]) -> Mapping[str, set[str]]:
        """Return the types that somebody is to be sent, by workspace."""
        ...

    async def store(self, tidings: Sequence[Tiding]) -> None:
        """Store what is to be sent, within the caller's transaction; again stores nothing."""
        ...


class News:
    """Takes the news off executions. Any number may at any time; each takes others."""

    def __init__(
        self, database: Database, dispatcher: Dispatcher, outgoing: Outgoing, clock: Clock
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._outgoing = outgoing
        self._clock = clock
        self._failures = Failures(database, clock)
        is_shared = database.dialect is Dialect.POSTGRES
        self._take = _TAKE + ("FOR UPDATE SKIP LOCKED" if is_shared else "")

    async def tell(self) -> int:
        """Tell the news of at most 200 executions; return of how many there were any."""
        if not await self._database.fetch(_ANY):
            return 0
        count, events = await self._database.retry(self._store)
        for start in range(0, len(events), _TOGETHER):
            await self._tell_all(events[start : start + _TOGETHER])
        return count

    async def _tell_all(self, events: Sequence[PlatformEvent]) -> None:
        telling = [self._dispatcher.tell(event) for event in events]
        for outcome in await asyncio.gather(*telling, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _store(self) -> tuple[int, list[PlatformEvent]]:
        """Make events of the news, count failures and mark them as told, all or nothing."""
        async with self._database.transaction():
            rows = await self._database.fetch(self._take, BATCH)
            if not rows:
                return 0, []
            events = await self._make(rows)
            await PlatformEvent.bulk_create(events, ignore_conflicts=True)
            await self._failures.count(_ends(rows))
            await self._fetch(_TOLD, [row["id"] for row in rows])
            return len(rows), events

    async def _make(self, rows: _Rows) -> list[PlatformEvent]:
        """Store messages; return the events that some trigger could listen to, and no others."""
        workspaces = {row["workspace_id"] for row in rows}
        wanted, sent = await self._wanted(workspaces), await self._outgoing.wanted(workspaces)
        heard = [row["id"] for row in rows if row["workspace_id"] in wanted.keys() | sent.keys()]
        if not heard:
            return []
        now = self._clock.now()
        tidings = [Tiding.of(row) for row in await self._fetch(_READ, heard)]
        if messages := [each for each in tidings if each.type in sent.get(each.workspace_id, ())]:
            await self._outgoing.store(messages)
        return [
            event_of(each, now)
            for each in tidings
            if each.type in wanted.get(each.workspace_id, ())
        ]

    async def _wanted(self, workspace_ids: Iterable[str]) -> Mapping[str, set[str]]:
        """Return the types that triggers listen to, by workspace."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for row in await self._fetch(_LISTENING, sorted(workspace_ids)):
            pattern = load_json(row["config"])["event_type"]
            found = [each for each in _TYPES if matches_event_type(pattern, each)]
            if found:
                wanted[row["workspace_id"]].update(found)
        return wanted

    async def _fetch(self, sql: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        places = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
        return await self._database.fetch(sql.replace("{ids}", places), *ids)


def _ends(rows: _Rows) -> list[End]:
    """Return the ends of executions that triggers started, in order."""
    return [
        End(row["trigger_id"], status, None if row["error"] is None else load_json(row["error"]))
        for row in rows
        if row["trigger_id"] is not None and (status := ExecutionStatus(row["status"])).is_final
    ]
