"""Rings the engine's two bells inside one process: no message leaves it.

What a bell over a network adds is built on these: it hands on what was rung elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from promptpilot.engine.ports import Listener


class LocalWaker:
    """Calls everybody in this process who wants to know that something became due."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def call(self, callback: Callable[[], None]) -> None:
        """Have `callback` called at every ring from now on; it must neither block nor raise."""
        self._callbacks.append(callback)

    def wake(self) -> None:
        """Ring."""
        for callback in self._callbacks:
            callback()


class LocalFeed:
    """Hands rings to the listeners of this process."""

    def __init__(self) -> None:
        self._ears: dict[str, set[Ear]] = {}

    def __len__(self) -> int:
        return sum(len(ears) for ears in self._ears.values())

    def ring(self, execution_id: str, workspace_id: str | None = None) -> None:
        """Ring for everybody here who listens to the execution, or to the workspace."""
        for name in (execution_id, workspace_id):
            for ear in self._ears.get(name or "", ()):
                ear.hear()

    def ring_all(self) -> None:
        """Ring for every listener: rings may have been missed."""
        for ears in self._ears.values():
            for ear in ears:
                ear.hear()

    @asynccontextmanager
    async def listen(self, execution_id: str) -> AsyncIterator[Listener]:
        """Listen from entering the context on."""
        ear = Ear()
        self._ears.setdefault(execution_id, set()).add(ear)
        try:
            yield ear
        finally:
            self._forget(execution_id, ear)

    def _forget(self, execution_id: str, ear: Ear) -> None:
        ears = self._ears[execution_id]
        ears.discard(ear)
        if not ears:
            del self._ears[execution_id]


class Ear:
    """Remembers that it rang, or was nudged, until the next wait."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._has_rung = False

    def hear(self) -> None:
        """End a wait, or the next one if nobody waits."""
        self._has_rung = True
        self._woken.set()

    def nudge(self) -> None:
        """End a wait, or the next one, without a ring."""
        self._woken.set()

    async def wait(self, seconds: float) -> bool:
        """Return at the next ring since the last wait, at the latest after `seconds`.

        False means that it was a nudge alone that ended the wait.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return True
        has_rung, self._has_rung = self._has_rung, False
        self._woken.clear()
        return has_rung
