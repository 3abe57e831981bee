"""HTTP as uvicorn speaks it, but for clients that send the head of a request slowly or without end.

Uvicorn waits for a head for as long as it takes and keeps all of it; here both have a limit.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedHttp(HttpToolsProtocol):
    """One connection. Whoever takes too long is hung up on; a head that is too large is a 400."""

    head_seconds: ClassVar[float] = 10.0
    head_bytes: ClassVar[int] = 64 * 1024

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Wait for the first request."""
        super().connection_made(transport)
        self._start_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too large already."""
        if self.timeout_keep_alive_task is not None:
            self._start_waiting()  # uvicorn stops waiting at the first byte, which may be no head
        super().data_received(data)
        if self._timer is not None:
            self._head += len(data)
            if self._head > self.head_bytes:
                self._stop_waiting()
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Wait for the head that begins here."""
        super().on_message_begin()
        self._head = 0
        self._start_waiting()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; an error here makes the parser turn the request down."""
        self._head += len(name) + len(value)
        if self._head > self.head_bytes:
            raise ValueError("The head of the request is too large.")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Serve the request."""
        self._stop_waiting()
        super().on_headers_complete()

    def _start_waiting(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
