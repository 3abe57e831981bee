"""What the operator wants of a process: to go on, to stop when it can, or to stop now."""

from __future__ import annotations

import asyncio
import signal

import structlog

#: Under this name the state of a request has an event that is set when its server is to stop.
SERVER_STOPS = "server_stops"

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


class Stopping:
    """Set `soon` by a first signal and `now` by a second one. Make it inside the running loop."""

    def __init__(self) -> None:
        self.soon = asyncio.Event()
        self.now = asyncio.Event()

    def obey_signals(self) -> None:
        """Hear SIGTERM and SIGINT from now on."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.hear, number.name)

    def ignore_signals(self) -> None:
        """Hear nothing more: the process has stopped, and its exit code tells how."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    def hear(self, reason: str) -> None:
        """Stop soon, or now if it was to stop already."""
        (self.now if self.soon.is_set() else self.soon).set()
        log.info("process.stopping", reason=reason, is_urgent=self.now.is_set())

    async def pause(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as the process is to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self.soon.wait()
        except TimeoutError:
            return
