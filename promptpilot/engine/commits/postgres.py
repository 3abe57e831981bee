"""Commits groups on PostgreSQL: one statement for each kind of write, each its own commit.

One connection of its own, with plans pinned to the indexes, because fresh and unanalysed tables
would otherwise be planned as if they were small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import asyncpg
import orjson

from promptpilot.clock import Clock, to_ms
from promptpilot.engine.commits.items import (
    FIRING_COLUMNS,
    Claim,
    Claimed,
    Columns,
    FencedWrite,
    Item,
    Opening,
    Recorded,
    Renewal,
    Renewed,
)
from promptpilot.engine.sql import statements
from promptpilot.models.address import Dialect
from promptpilot.models.database import Database, is_transient

_PLANS = {
    "application_name": "promptpilot-ledger",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
}
_CONNECT_SECONDS = 5
_COMMAND_SECONDS = 10
_JSON = frozenset(
    {
        "input",
        "output",
        "error",
        "trigger_data",
        "prompt_versions",
        "payload",
        "data",
        "model_calls",
    }
)


class PostgresStore:
    """Holds one connection, opened again when it is lost."""

    def __init__(self, database: Database, clock: Clock | None) -> None:
        self._options: dict[str, Any] = dict(database.address.options)
        self._clock = clock
        self._sql = statements(Dialect.POSTGRES)
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def commit(self, items: Sequence[Item]) -> list[Any]:
        """Commit each kind of write with one statement; return outcomes in the order of items."""
        outcomes: dict[int, Any] = {}
        for kind, run in self._runs().items():
            chosen = [(place, item) for place, item in enumerate(items) if type(item) is kind]
            if chosen:
                results = await run([item for _, item in chosen])
                places = (place for place, _ in chosen)
                outcomes.update(zip(places, results, strict=True))
        return [outcomes[place] for place in range(len(items))]

    def is_transient(self, error: Exception) -> bool:
        """Whether the same group may succeed if it is sent again."""
        return is_transient(error) or isinstance(error, TimeoutError)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    def _runs(self) -> Mapping[type[Item], Any]:
        return {
            FencedWrite: self._record,
            Opening: self._open,
            Renewal: self._renew,
            Claim: self._claim,
        }

    @property
    def _now(self) -> int | None:
        """The instant to write down; None stands for the database's own clock."""
        return None if self._clock is None else to_ms(self._clock.now())

    async def _fetch(self, name: str, *values: Any) -> list[asyncpg.Record]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                **self._options,
                timeout=_CONNECT_SECONDS,
                command_timeout=_COMMAND_SECONDS,
                server_settings=_PLANS,
            )
        rows = await self._connection.fetch(self._sql[name], *values)
        return cast("list[asyncpg.Record]", rows)

    async def _open(self, openings: Sequence[Opening]) -> list[int | None]:
        rows = await self._fetch(
            "open",
            _json([_opening_row(each) for each in openings]),
            _json([row for each in openings for row in each.steps]),
            _json([row for each in openings for row in each.events]),
            self._now,
        )
        stored = {row["id"]: row["now"] for row in rows}
        missing = [each.id for each in openings if each.id not in stored]
        if missing:  # refused by a unique key, or stored by a commit whose answer was lost
            stored |= {row["id"]: row["now"] for row in await self._fetch("stored", missing)}
        return [stored.get(each.id) for each in openings]

    async def _claim(self, claims: Sequence[Claim]) -> list[list[Claimed]]:
        results = []
        for claim in claims:
            rows = await self._fetch("claim", claim.limit, claim.owner, claim.lease_ms, self._now)
            results.append([Claimed(**row) for row in rows])
        return results

    async def _renew(self, renewals: Sequence[Renewal]) -> list[Renewed | None]:
        beats = [
            {"id": each.id, "fence": each.fence, "lease_ms": each.lease_ms} for each in renewals
        ]
        rows = await self._fetch("renew", _json(beats), self._now)
        held = {(row["id"], row["fence"]): _renewed(row) for row in rows}
        return [held.get((each.id, each.fence)) for each in renewals]

    async def _record(self, writes: Sequence[FencedWrite]) -> list[Recorded | None]:
        ordered = sorted(writes, key=lambda write: write.id)  # two workers lock in one order
        rows = await self._fetch(
            "record",
            _json([_execution_row(write) for write in ordered]),
            _json([row for write in ordered for row in write.steps]),
            _json([row for write in ordered for row in write.attempts]),
            _json([row for write in ordered for row in write.events]),
            _json([write.dead_letter for write in ordered if write.dead_letter is not None]),
            self._now,
            _json([row for write in ordered for row in write.large_outputs]),
        )
        done = {row["id"]: _recorded(row) for row in rows}
        missing = [write for write in writes if write.id not in done]
        if missing:
            done |= await self._find_recorded(missing)
        return [done.get(write.id) for write in writes]

    async def _find_recorded(self, writes: Sequence[FencedWrite]) -> dict[str, Recorded]:
        """Return the writes that had happened already: their answer was lost on the way."""
        rows = {r["id"]: r for r in await self._fetch("recorded", [write.id for write in writes])}
        return {
            write.id: _recorded(row)
            for write in writes
            if (row := rows.get(write.id)) is not None
            and row["fence"] == write.fence
            and row["last_seq"] == write.expected_seq + len(write.events)
            and row["status"] == write.columns["status"]
        }


def _json(rows: Sequence[Columns]) -> str:
    """Return rows as one JSON text; columns that hold JSON are put in as they are."""
    return orjson.dumps([_embedded(row) for row in rows]).decode()


def _embedded(row: Columns) -> Columns:
    return {
        name: orjson.Fragment(value) if name in _JSON and value is not None else value
        for name, value in row.items()
    }


def _opening_row(opening: Opening) -> Columns:
    firing = opening.firing or {}
    return {
        **{name: firing.get(name) for name in FIRING_COLUMNS},
        **opening.execution,
        "operation": (opening.idempotency or {}).get("operation"),
        "request_sha256": (opening.idempotency or {}).get("request_sha256"),
        "has_key": opening.idempotency is not None,
        "has_firing": opening.firing is not None,
        "start_in_ms": opening.start_in_ms,
        "deadline_in_ms": opening.deadline_in_ms,
        "position": opening.position,
        "event_count": len(opening.events),
        "dead_letter_id": opening.dead_letter_id,
        "queued_firing_id": opening.queued_firing_id,
        "depth": opening.depth,
    }


def _execution_row(write: FencedWrite) -> Columns:
    return {
        **write.columns,
        "id": write.id,
        "fence": write.fence,
        "expected_seq": write.expected_seq,
        "event_count": len(write.events),
    }


def _renewed(row: asyncpg.Record) -> Renewed:
    return Renewed(bool(row["is_cancel_requested"]), bool(row["is_pause_requested"]))


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(
        row["now"],
        row["last_seq"],
        bool(row["is_cancel_requested"]),
        bool(row["is_pause_requested"]),
    )
