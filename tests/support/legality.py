"""Judges a story: whether its events follow one another as the lifecycle allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptpilot.engine import lifecycle
from promptpilot.engine.events import EventKind
from promptpilot.engine.lifecycle import ExecutionStatus, StepStatus
from promptpilot.models import ExecutionEvent

_MOVES = {(s, t.target) for t in lifecycle.TRANSITIONS.values() for s in t.sources}
_STEP_MOVES = {(s, t.target) for t in lifecycle.STEP_TRANSITIONS.values() for s in t.sources}
_OPEN = {StepStatus.RUNNING, StepStatus.WAITING}


def assert_legal(events: Sequence[ExecutionEvent]) -> None:
    """Fail unless the events are numbered from 1 without gap and tell nothing impossible."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    judge = _Judge()
    for event in events:
        judge.hear(event)


class _Judge:
    """Follows one story, event by event."""

    def __init__(self) -> None:
        self._status: str | None = None
        self._steps: dict[str, str] = {}
        self._attempts: Counter[str] = Counter()

    def hear(self, event: ExecutionEvent) -> None:
        """Fail if the event cannot follow the ones before."""
        assert self._status not in lifecycle.FINAL, f"{event.seq} follows the end"
        match event.kind:
            case EventKind.EXECUTION_STATUS:
                self._hear_execution(event)
            case EventKind.STEP_STATUS:
                self._hear_step(event)
            case _:
                self._hear_retry(event)

    def _hear_execution(self, event: ExecutionEvent) -> None:
        before, after = event.from_status, event.to_status
        assert before == self._status, f"{event.seq} begins at {before}, not at {self._status}"
        if before is None:
            assert after in {ExecutionStatus.PENDING, ExecutionStatus.WAITING}
        else:
            assert (before, after) in _MOVES, f"{event.seq} goes from {before} to {after}"
        if after in lifecycle.FINAL:
            assert self._open() == [], f"{event.seq} ends it and not {self._open()}"
        self._status = after

    def _hear_step(self, event: ExecutionEvent) -> None:
        assert event.path is not None
        assert event.to_status is not None
        at = self._steps.get(event.path, StepStatus.PENDING)
        assert event.from_status == at, f"{event.seq} begins at {event.from_status}, not at {at}"
        assert (at, event.to_status) in _STEP_MOVES, f"{event.seq}: {at} to {event.to_status}"
        self._count(event, event.path)
        self._steps[event.path] = event.to_status
        assert len(self._open()) <= 1, f"{event.seq} opens a second step: {self._open()}"

    def _hear_retry(self, event: ExecutionEvent) -> None:
        assert event.path is not None
        assert self._steps.get(event.path) == StepStatus.RUNNING, f"{event.seq}: no step runs"
        self._count(event, event.path)

    def _count(self, event: ExecutionEvent, path: str) -> None:
        attempt = event.attempt or 0
        assert attempt >= self._attempts[path], f"{event.seq} goes back to attempt {attempt}"
        self._attempts[path] = attempt

    def _open(self) -> list[str]:
        return [path for path, status in self._steps.items() if status in _OPEN]
