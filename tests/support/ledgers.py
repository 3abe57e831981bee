"""Writes for tests of the ledger: small, valid, and different where a test says so."""

from __future__ import annotations

from typing import Any

from promptpilot import ids
from promptpilot.engine.commits.items import Claimed, Columns, FencedWrite, Opening
from promptpilot.engine.definition import Step
from promptpilot.engine.ledger import Entry
from promptpilot.engine.ledger_rows import AttemptMark, Ended, Place, Wait
from promptpilot.engine.lifecycle import StepStatus, WaitReason
from promptpilot.engine.reasons import Reason, reason
from promptpilot.engine.scope import Outcome
from promptpilot.engine.step_configs import TransformConfig
from promptpilot.models.database import Database

#: The tables that a holder's write reaches.
TABLES = (
    "executions",
    "step_executions",
    "step_attempts",
    "execution_events",
    "dead_letters",
    "firings",
    "idempotency_keys",
)


def opening(id: str | None = None, **columns: Any) -> Opening:
    """Make a new execution that is due at once and has no unique key."""
    execution: Columns = {
        "id": id or ids.new_id(ids.Kind.EXECUTION),
        "workspace_id": "ws_1",
        "workflow_id": "wf_1",
        "workflow_version_id": "wv_1",
        "workflow_revision": 1,
        "status": "PENDING",
        "wait_reason": None,
        "trigger_type": "WEBHOOK",
        "trigger_id": None,
        "firing_id": None,
        "trigger_data": None,
        "prompt_versions": None,
        "started_by": None,
        "idempotency_key": None,
        "retry_of_id": None,
        "input": "{}",
        **columns,
    }
    return Opening(execution)


def keyed_opening(key: str = "k1", sha256: str = "a") -> Opening:
    """Make a new execution that may be there once for its idempotency key."""
    made = opening(idempotency_key=key)
    row = {"workspace_id": "ws_1", "operation": "start", "key": key, "request_sha256": sha256}
    return Opening(made.execution, idempotency=row)


def fired_opening(dedupe_key: str | None = "d1") -> Opening:
    """Make a new execution that may be there once for its message."""
    made = opening(firing_id=ids.new_id(ids.Kind.FIRING), trigger_id="trg_1")
    row: Columns = dict.fromkeys(
        ("body_sha256", "scheme", "is_verified", "used_previous_secret", "source_ip", "actor_id")
    )
    row |= {"trigger_id": "trg_1", "dedupe_key": dedupe_key, "payload": '{"a":1}'}
    return Opening(made.execution, firing=row)


def place(position: int = 0) -> Place:
    """Make the place of a TRANSFORM step."""
    return Place(Step(f"s{position}", TransformConfig({"v": "1"}), id=f"st_{position}"), position)


def entry_of(claimed: Claimed) -> Entry:
    """Begin an entry under the lease that a claim gave."""
    return Entry(claimed.id, claimed.fence, claimed.last_seq, claimed.position)


def begun(claimed: Claimed) -> FencedWrite:
    """Make the write that begins the first step."""
    entry = entry_of(claimed)
    entry.begin_step(place(0), 1, None)
    return entry.as_write()


def full_write(claimed: Claimed) -> FencedWrite:
    """Make a write that reaches every table of a holder's writes."""
    entry = entry_of(claimed)
    mark = AttemptMark(1, claimed.now, claimed.now)
    why = reason("X", "It broke.")
    entry.end_attempt(place(0), mark, why)
    entry.end_step(place(0), AttemptMark(2, claimed.now, claimed.now), Ended(failed(why)))
    entry.fail(why, opens_dead_letter=True)
    return entry.as_write()


def failed(why: Reason) -> Outcome:
    """Make the outcome of a step that failed."""
    return Outcome(StepStatus.FAILED, error=why)


def handed_over(claimed: Claimed) -> FencedWrite:
    """Make the one write that tells of nothing."""
    entry = entry_of(claimed)
    entry.hand_over()
    return entry.as_write()


def parked(claimed: Claimed) -> FencedWrite:
    """Make the write that ends an attempt in a wait."""
    entry = entry_of(claimed)
    mark = AttemptMark(1, claimed.now, claimed.now)
    entry.park(place(0), mark, Wait(WaitReason.DELAY, in_ms=1000))
    return entry.as_write()


def paused(claimed: Claimed) -> FencedWrite:
    """Make the write that holds an execution between two steps."""
    entry = entry_of(claimed)
    entry.pause()
    return entry.as_write()


async def rows_of(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return everything that is stored of executions."""
    return {table: await database.fetch(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608 -- constants


async def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    return len((await rows_of(database))[table])


def made_claimed(**fields: Any) -> Claimed:
    """Make a claim that no database gave, of an execution at its beginning."""
    values: dict[str, Any] = {
        "id": "ex_1",
        "workspace_id": "ws_1",
        "workflow_id": "wf_1",
        "workflow_version_id": "wv_1",
        "workflow_revision": 1,
        "fence": 1,
        "position": 0,
        "current_path": None,
        "current_attempt": 0,
        "step_started_at": None,
        "attempt_started_at": None,
        "crashes": 0,
        "last_seq": 2,
        "is_cancel_requested": False,
        "is_pause_requested": False,
        "deadline_at": None,
        "waited_for": None,
        "trigger_type": "WEBHOOK",
        "trigger_id": None,
        "trigger_data": None,
        "prompt_versions": None,
        "input": "{}",
        "created_at": 1,
        "now": 2,
    }
    return Claimed(**{**values, **fields})
