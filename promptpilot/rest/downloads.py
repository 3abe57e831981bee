"""Bounds how many downloads are open at a time, because each holds its whole file in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from promptpilot.clock import Clock
from promptpilot.errors import RateLimited

#: Of up to 16 MiB each.
MOST_OF_ONE: Final = 4
MOST: Final = 24

_COME_BACK: Final = timedelta(seconds=2)


class Downloads:
    """The downloads that are open in this process, by who asked for them."""

    def __init__(self, most_of_one: int = MOST_OF_ONE, most: int = MOST) -> None:
        self._most_of_one = most_of_one
        self._most = most
        self._open: Counter[str] = Counter()

    async def hold(
        self, caller: str, clock: Clock, answer: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Return the answer; its place is taken from now until it is sent.

        Raises RateLimited when the caller, or everybody together, has as many open as may be.
        """
        if self._open[caller] >= self._most_of_one or self._open.total() >= self._most:
            message = f"Too many downloads are open; one caller may have {self._most_of_one}."
            raise RateLimited(message, clock.now() + _COME_BACK)
        self._open[caller] += 1
        try:
            return _Held(await answer(), lambda: self._leave(caller))
        except BaseException:
            self._leave(caller)
            raise

    def _leave(self, caller: str) -> None:
        self._open[caller] -= 1
        if not self._open[caller]:
            del self._open[caller]


class _Held(Response):
    """A response that says when it was sent, or broken off."""

    def __init__(self, response: Response, leave: Callable[[], None]) -> None:
        super().__init__(None, response.status_code)
        self.raw_headers = response.raw_headers
        self._response = response
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await self._response(scope, receive, send)
        finally:
            self._leave()
