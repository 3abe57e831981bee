"""The product's scheduler in a process of its own, by a clock that runs fast and wrong.

`python -m tests.support.scheduler_process scheduler` is `promptpilot scheduler`, but what is due it
asks a clock that began at FAST_SINCE and runs SPEED times as fast, FAST_SKEW seconds off.

Units: FAST_SINCE is in seconds of the real clock.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import partial

from promptpilot import cli
from promptpilot.clock import SystemClock
from promptpilot.engine.triggers.scheduler import Scheduler
from workers import schedules

#: A time that comes once a minute comes twice a second.
SPEED = 120


class FastClock:
    """Tells a time that began with the real one and has run away from it."""

    def __init__(self, since: datetime, skew: timedelta = timedelta(0)) -> None:
        self._since = since
        self._skew = skew

    def now(self) -> datetime:
        """Return the instant that this clock shows."""
        passed = SystemClock().now() - self._since
        return self._since + SPEED * passed + self._skew


def main() -> None:
    """Run the command of the product that the arguments name."""
    since = datetime.fromtimestamp(float(os.environ["FAST_SINCE"]), UTC)
    clock = FastClock(since, timedelta(seconds=float(os.environ["FAST_SKEW"])))
    vars(schedules)["Scheduler"] = partial(Scheduler, clock=clock)
    cli.main()


if __name__ == "__main__":
    main()
