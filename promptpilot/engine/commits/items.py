"""What the ledger hands to a committer: plain values, one for each kind of write.

Units: instants and durations are milliseconds; the instant of a write is the database's own, so
clocks of workers may disagree. JSON values are text already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Columns = dict[str, Any]

#: Columns of a firing that its execution does not have as well.
FIRING_COLUMNS = (
    "scheduled_for",
    "dedupe_key",
    "body_sha256",
    "scheme",
    "is_verified",
    "used_previous_secret",
    "payload",
    "source_ip",
    "actor_id",
)


@dataclass(frozen=True, slots=True)
class Opening:
    """A new execution with its first event, and what makes it unique.

    At most one of `firing`, `idempotency`, `dead_letter_id` and `queued_firing_id` is set; each is
    a row whose unique key, or whose status, admits one execution. `start_in_ms` is the wait before
    it may be claimed, `deadline_in_ms` the time it has from then on. `steps` and `events` (from
    number 2) are what it takes over from the execution that it repeats, outputs kept aside
    included.
    """

    execution: Columns
    firing: Columns | None = None
    idempotency: Columns | None = None
    dead_letter_id: str | None = None
    queued_firing_id: str | None = None
    start_in_ms: int = 0
    deadline_in_ms: int | None = None
    position: int = 0
    depth: int = 0
    steps: tuple[Columns, ...] = ()
    events: tuple[Columns, ...] = ()

    @property
    def id(self) -> str:
        """The new execution's id."""
        return str(self.execution["id"])

    @property
    def size(self) -> int:
        """About how many bytes it stores."""
        outputs = sum(len(row["output"] or "") for row in self.steps)
        payload = len((self.firing or {}).get("payload") or "")
        return len(self.execution["input"]) + payload + outputs

    @property
    def unique_key(self) -> tuple[str, ...] | None:
        """What may be there once; None when nothing else makes it unique."""
        if self.idempotency is not None:
            row = self.idempotency
            return ("key", row["workspace_id"], row["operation"], row["key"])
        if self.firing is not None and self.firing["dedupe_key"] is not None:
            return ("firing", self.firing["trigger_id"], self.firing["dedupe_key"])
        if self.firing is not None and self.firing.get("scheduled_for") is not None:
            return ("instant", self.firing["trigger_id"], str(self.firing["scheduled_for"]))
        if self.queued_firing_id is not None:
            return ("queued", self.queued_firing_id)
        if self.dead_letter_id is not None:
            return ("dead letter", self.dead_letter_id)
        return None


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish for at most `limit` executions that are due, for `owner`, for `lease_ms`."""

    owner: str
    limit: int
    lease_ms: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """An execution that a worker now holds, as it was stored.

    `waited_for` is the wait that the claim has ended; `now` is when it was claimed.
    """

    id: str
    workspace_id: str
    workflow_id: str
    workflow_version_id: str
    workflow_revision: int
    fence: int
    position: int
    current_path: str | None
    current_attempt: int
    step_started_at: int | None
    attempt_started_at: int | None
    crashes: int
    last_seq: int
    is_cancel_requested: bool
    is_pause_requested: bool
    deadline_at: int | None
    waited_for: str | None
    trigger_type: str
    trigger_id: str | None
    trigger_data: str | None
    prompt_versions: str | None
    input: str
    created_at: int
    now: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """A beat of one lease."""

    id: str
    fence: int
    lease_ms: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class Renewed:
    """The lease holds; what was asked of the execution meanwhile."""

    is_cancel_requested: bool
    is_pause_requested: bool


@dataclass(frozen=True, slots=True)
class FencedWrite:
    """One transaction of the holder of an execution: its new columns, rows and events.

    It happens only if `fence` is current, the execution RUNNING and `expected_seq` the number of
    its newest event, which also makes it safe to send again after a lost answer; a pause only if
    it is still asked for.
    """

    id: str
    fence: int
    expected_seq: int
    columns: Columns
    steps: tuple[Columns, ...] = ()
    attempts: tuple[Columns, ...] = ()
    events: tuple[Columns, ...] = ()
    large_outputs: tuple[Columns, ...] = ()
    dead_letter: Columns | None = None

    @property
    def unique_key(self) -> tuple[str, ...]:
        """What a group may hold once: a stale holder's write must not join the new one's."""
        return ("execution", self.id)

    @property
    def size(self) -> int:
        """About how many bytes it stores."""
        texts = [self.columns.get("output"), *(row.get("output") for row in self.steps)]
        texts += [row["body"] for row in self.large_outputs]
        return sum(len(text) for text in texts if text)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The write is committed. `at` is its instant; what was asked of the execution meanwhile."""

    at: int
    last_seq: int
    is_cancel_requested: bool
    is_pause_requested: bool


Item = Opening | Claim | Renewal | FencedWrite
