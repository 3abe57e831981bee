"""Bells without Redis for tests of other parts; they pass the contract suite of the real ones."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptpilot.local_bells import LocalFeed, LocalWaker


class FakeWaker(LocalWaker):
    """Counts its rings."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def wake(self) -> None:
        """Ring and count."""
        self.count += 1
        super().wake()


class FakeFeed(LocalFeed):
    """Remembers for which executions it rang."""

    def __init__(self) -> None:
        super().__init__()
        self.rung: list[str] = []

    def ring(self, execution_id: str, workspace_id: str | None = None) -> None:
        """Ring and remember."""
        self.rung.append(execution_id)
        super().ring(execution_id, workspace_id)


@dataclass
class FakeRunner:
    """A runner that has nothing to run; it only remembers that it was woken."""

    free_slots: int = 10
    is_draining: bool = False
    waker: FakeWaker = field(default_factory=FakeWaker)

    def wake(self) -> None:
        """Count a wake-up and call whoever waits for one."""
        self.waker.wake()
