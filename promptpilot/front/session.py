"""Who asks, over any transport: how contexts are made for them, and how long they are believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from promptpilot.errors import Unavailable


async def _trust() -> None:
    """Believe that who spoke once may go on to."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who asks: how contexts are made, and until when; None means without end.

    `check` raises a CallerError once the caller may ask no more, before the end or without one.
    `key` is the same for all that one caller sends: what is counted per caller goes by it.
    """

    operation_context: Callable[[], Any]
    expires_at: datetime | None = None
    check: Callable[[], Awaitable[None]] = _trust
    key: str = ""


class Trust:
    """Checks the caller of a stream now and then, not at every event."""

    def __init__(self, session: Session, every: timedelta) -> None:
        self._session = session
        self._every = every.total_seconds()
        self._checked_at = asyncio.get_running_loop().time()

    async def renew(self) -> None:
        """Check the caller if that is due; raise a CallerError when they may read no more."""
        now = asyncio.get_running_loop().time()
        if now - self._checked_at < self._every:
            return
        with suppress(Unavailable):  # nobody can tell; the stream goes on until somebody can
            await self._session.check()
        self._checked_at = asyncio.get_running_loop().time()
