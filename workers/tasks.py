"""The one job of the queue."""

from __future__ import annotations

from typing import Any, Protocol

from arq.worker import Function, func

from promptpilot.bells import WAKE_JOB

_TIMEOUT_SECONDS = 10


class Wakeable(Protocol):
    """What a job wakes: the runner of this process."""

    @property
    def free_slots(self) -> int:
        """How many more executions it could take now."""
        ...

    @property
    def is_draining(self) -> bool:
        """Whether it takes no more executions."""
        ...

    def wake(self) -> None:
        """Look for due executions now."""
        ...


async def wake(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:
    """Have this process look for due executions; return at once."""
    runner: Wakeable = ctx["runner"]
    runner.wake()


def wake_function() -> Function:
    """Return how arq is to treat the job: no result is kept, and a lost one is not repeated."""
    return func(wake, name=WAKE_JOB, timeout=_TIMEOUT_SECONDS, keep_result=0, max_tries=1)
