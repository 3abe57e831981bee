"""What the engine needs from outside: two bells.

Both are hints. A ring may be lost, repeated or late: that costs time, never truth, because
workers and subscribers look at the database anyway. Ringing never blocks and never raises.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Waker(Protocol):
    """Tells some worker that an execution may be claimed."""

    def wake(self) -> None:
        """Ring once for everything that became due; rings close together become one."""
        ...


class Listener(Protocol):
    """One ear at the feed bell of one execution."""

    async def wait(self, seconds: float) -> None:
        """Return at the next ring since the last wait, at the latest after `seconds`."""
        ...


class Feed(Protocol):
    """Tells subscribers that an execution has new events."""

    def ring(self, execution_id: str) -> None:
        """Ring for everybody who listens to `execution_id`."""
        ...

    def listen(self, execution_id: str) -> AbstractAsyncContextManager[Listener]:
        """Listen from entering the context on: rings from then on end a wait."""
        ...
