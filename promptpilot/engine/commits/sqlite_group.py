"""One group on SQLite: what its writes do inside their transaction.

Rows that nobody reads before the commit (events, steps, attempts) are gathered and inserted with
one statement for each table. The module `sqlite3` gives the interpreter's lock back and waits for
it again with every statement, so a statement for every row would crawl beside a busy event loop.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson

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
from promptpilot.engine.events import EventKind
from promptpilot.engine.sql import statements
from promptpilot.models.address import Dialect

_CHANGE = EventKind.EXECUTION_STATUS.value


class Group:
    """The writes of one transaction, at one instant. Lives inside the ledger's thread."""

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self._now = now
        self._sql = statements(Dialect.SQLITE)
        self._gathered: dict[str, list[Columns]] = {
            "events": [],
            "steps": [],
            "attempts": [],
            "large_outputs": [],
        }

    def write(self, item: Item) -> Any:
        """Do one write and return its outcome; its gathered rows come later."""
        match item:
            case FencedWrite():
                return self._record(item)
            case Opening():
                return self._open(item)
            case Renewal():
                return self._renew(item)
            case Claim():
                return self._claim(item)

    def insert_gathered(self) -> None:
        """Insert the rows that were gathered, before the commit."""
        for name, rows in self._gathered.items():
            if rows:
                self._all(name, {"rows": orjson.dumps(rows).decode()})
        changes = [row for row in self._gathered["events"] if row["kind"] == _CHANGE]
        if changes:
            self._all("feed", {"rows": orjson.dumps(changes).decode()})

    def _open(self, opening: Opening) -> int | None:
        firing = opening.firing or {}
        values = {
            **{name: firing.get(name) for name in FIRING_COLUMNS},
            **opening.execution,
            **(opening.idempotency or {}),
            "start_in_ms": opening.start_in_ms,
            "deadline_in_ms": opening.deadline_in_ms,
            "position": opening.position,
            "event_count": len(opening.events),
            "dead_letter_id": opening.dead_letter_id,
            "queued_firing_id": opening.queued_firing_id,
            "depth": opening.depth,
        }
        if self._is_first(opening, values) and self._one("open", values):
            self._gather_status(opening.id, 1, None, opening.execution["status"])
            self._take_over(opening, values)
            return self._now
        row = self._one("stored", values)
        return None if row is None else int(row["created_at"])

    def _is_first(self, opening: Opening, values: Columns) -> bool:
        """Take the opening's unique key; False if it is taken, be it by the opening itself."""
        if opening.idempotency is not None:
            return self._one("hold_key", values) is not None
        if opening.dead_letter_id is not None:
            return self._one("replay", values) is not None
        if opening.queued_firing_id is not None:
            return self._one("dequeue", values) is not None
        return opening.firing is None or self._one("fire", values) is not None

    def _take_over(self, opening: Opening, values: Columns) -> None:
        """Store what the execution takes over from the one that it repeats."""
        self._gathered["steps"] += opening.steps
        self._gathered["events"] += [{**each, "seq": each["number"]} for each in opening.events]
        aside = [row["path"] for row in opening.steps if row["output_bytes"] is not None]
        if aside:
            self._all("take_over", {**values, "paths": orjson.dumps(aside).decode()})

    def _claim(self, claim: Claim) -> list[Claimed]:
        due = self._all("due", {"limit": claim.limit})
        values = {"owner": claim.owner, "lease_ms": claim.lease_ms}
        claimed = []
        for before in due:
            row = self._one("claim", {**values, "id": before["id"]})
            if row["last_seq"] > before["last_seq"]:
                self._gather_status(row["id"], row["last_seq"], before["status"], row["status"])
            told = {name: row[name] for name in row.keys() if name != "status"}  # noqa: SIM118
            asked = ("is_cancel_requested", "is_pause_requested")
            told |= {name: bool(row[name]) for name in asked}
            claimed.append(Claimed(**told, waited_for=before["wait_reason"]))
        return claimed

    def _renew(self, beat: Renewal) -> Renewed | None:
        values = {"id": beat.id, "fence": beat.fence, "lease_ms": beat.lease_ms}
        row = self._one("renew", values)
        if row is None:
            return None
        return Renewed(bool(row["is_cancel_requested"]), bool(row["is_pause_requested"]))

    def _record(self, write: FencedWrite) -> Recorded | None:
        values = {
            **write.columns,
            "id": write.id,
            "fence": write.fence,
            "expected_seq": write.expected_seq,
            "event_count": len(write.events),
        }
        row = self._one("record", values)
        if row is None:
            row = self._one("recorded", values)
            return None if row is None else _recorded(row, row["now"])
        self._gather(write)
        if write.dead_letter is not None:
            owner = {"workspace_id": row["workspace_id"], "workflow_id": row["workflow_id"]}
            self._all("dead_letter", {**write.dead_letter, **owner})
        return _recorded(row, self._now)

    def _gather(self, write: FencedWrite) -> None:
        self._gathered["steps"] += write.steps
        self._gathered["attempts"] += write.attempts
        self._gathered["large_outputs"] += write.large_outputs
        self._gathered["events"] += [
            {**each, "seq": write.expected_seq + each["number"]} for each in write.events
        ]

    def _gather_status(self, id: str, seq: int, before: str | None, after: str) -> None:
        told = {"execution_id": id, "seq": seq, "kind": _CHANGE}
        self._gathered["events"].append({**told, "from_status": before, "to_status": after})

    def _one(self, name: str, values: Columns) -> Any:
        """Run a statement that gives at most one row, to its end."""
        rows = self._all(name, values)
        return rows[0] if rows else None

    def _all(self, name: str, values: Columns) -> list[Any]:
        return self._connection.execute(self._sql[name], {**values, "now": self._now}).fetchall()


def _recorded(row: sqlite3.Row, now: int) -> Recorded:
    asked = (bool(row["is_cancel_requested"]), bool(row["is_pause_requested"]))
    return Recorded(now, row["last_seq"], *asked)
