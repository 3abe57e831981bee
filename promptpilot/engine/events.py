"""What can be told about an execution: the drafts of its events.

An event has no number until the ledger stores it: numbers are given in the order of commits, from
1 and without gaps, in the transaction that makes the event true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from promptpilot.engine.lifecycle import FINAL, ExecutionStatus, StepStatus


class EventKind(StrEnum):
    """What sort of fact an event tells."""

    EXECUTION_STATUS = "EXECUTION_STATUS_CHANGED"
    STEP_STATUS = "STEP_STATUS_CHANGED"
    STEP_RETRY = "STEP_RETRY_SCHEDULED"


@dataclass(frozen=True, slots=True)
class EventDraft:
    """One fact about an execution, not yet numbered. `path` is None for the execution itself."""

    kind: EventKind
    path: str | None = None
    attempt: int | None = None
    from_status: str | None = None
    to_status: str | None = None
    data: Mapping[str, Any] | None = None


def execution_changed(before: ExecutionStatus | None, after: ExecutionStatus) -> EventDraft:
    """Tell that the execution's status changed; `before` is None for the first event."""
    return EventDraft(EventKind.EXECUTION_STATUS, from_status=before, to_status=after)


def step_changed(path: str, attempt: int, before: StepStatus, after: StepStatus) -> EventDraft:
    """Tell that a step's status changed."""
    return EventDraft(EventKind.STEP_STATUS, path, attempt, before, after)


def retry_scheduled(path: str, attempt: int) -> EventDraft:
    """Tell that `attempt` ended without success and another one will be made."""
    return EventDraft(EventKind.STEP_RETRY, path, attempt)


def is_last(kind: str, to_status: str | None) -> bool:
    """Whether no event can follow one of this kind and status."""
    return kind == EventKind.EXECUTION_STATUS and to_status in FINAL
