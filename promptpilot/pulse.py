"""Calls something back no more often than every so many seconds, and at once after a rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class Timers(Protocol):
    """What a running loop offers: its clock, in seconds, and calls at a time of it."""

    def time(self) -> float:
        """Return the time."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        """Call back at this time."""
        ...


class Pulse:
    """One thing to do, however often it is asked for."""

    def __init__(
        self,
        seconds: float,
        beat: Callable[[], None],
        timers: Callable[[], Timers] = asyncio.get_running_loop,
    ) -> None:
        self._seconds = seconds
        self._beat = beat
        self._timers = timers
        self._next_at = 0.0
        self._is_asked = False

    def ask(self) -> None:
        """Have it done soon: everything that asks until then is served at once."""
        if self._is_asked:
            return
        self._is_asked = True
        timers = self._timers()
        timers.call_at(max(timers.time(), self._next_at), self._do)

    def _do(self) -> None:
        self._is_asked = False
        self._next_at = self._timers().time() + self._seconds
        self._beat()
