"""Ends a process whose event loop hangs: it cannot renew its leases and must not linger.

Units: time is counted in the watchdog's own waking moments, so a machine that slept, or a process
that was stopped and goes on, is not taken for a hanging one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

#: What the process ends with, so that whoever supervises it starts it again.
EXIT_CODE = 70

_LOOKS = 30


class Watchdog:
    """Ends the process when beat() has not been able to run for `patience`."""

    def __init__(
        self,
        patience: timedelta,
        end: Callable[[], None] | None = None,
        look: float | None = None,
    ) -> None:
        """`end` is what to do instead of ending the process.

        `look` is how many seconds lie between two looks; None means a thirtieth of the patience.
        """
        look = look or patience.total_seconds() / _LOOKS
        self._looks_allowed = max(2, round(patience.total_seconds() / look))
        self._look = look
        self._end = end or _end_process
        self._missed = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    async def beat(self) -> None:
        """Show that the loop turns, until cancelled; the watch begins with the first beat."""
        self._thread.start()
        try:
            while True:
                self._missed = 0
                await asyncio.sleep(self._look)
        finally:
            self._is_over.set()

    def _watch(self) -> None:
        while not self._is_over.wait(self._look):
            self._missed += 1
            if self._missed > self._looks_allowed:
                self._end()
                return


def _end_process() -> None:
    message = "promptpilot: the event loop hangs; this process ends, others take its work over.\n"
    sys.stderr.write(message)
    sys.stderr.flush()
    os._exit(EXIT_CODE)
