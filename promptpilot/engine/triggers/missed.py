"""Decides what happens to times of a schedule that passed while no scheduler ran.

Rules: a time is late when it is handled more than LATE_AFTER after it came. Late times are handled
by the trigger's policy, the others run. What lies longer back than WINDOW does not run any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from promptpilot.engine.triggers.kinds import MissedRunPolicy

LATE_AFTER: Final = timedelta(seconds=60)
WINDOW: Final = timedelta(hours=24)
MAX_RUNS: Final = 100
_LATE_RUNS: Final[Mapping[MissedRunPolicy, int]] = {
    MissedRunPolicy.SKIP: 0,
    MissedRunPolicy.RUN_ONCE: 1,
    MissedRunPolicy.RUN_ALL: MAX_RUNS,
}


@dataclass(frozen=True, slots=True)
class Backlog:
    """The times that have come, in order: those to run, and before them those that are left out."""

    missed: tuple[datetime, ...]
    runs: tuple[datetime, ...]


def sort_out(instants: Sequence[datetime], now: datetime, policy: MissedRunPolicy) -> Backlog:
    """Return what is left out of `instants`, which ascend, and what runs: the newest ones."""
    late_count = sum(now - instant > LATE_AFTER for instant in instants)
    first_run = max(late_count - _LATE_RUNS[policy], 0)
    return Backlog(tuple(instants[:first_run]), tuple(instants[first_run:]))
