"""Who asks, over any transport: how contexts are made for them, and how long they are believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from promptpilot.errors import CallerError, Unavailable


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


async def until_refused(session: Session, every: timedelta) -> CallerError:
    """Ask now and then whether the caller may still read; return why not, once that is so."""
    while True:
        await asyncio.sleep(every.total_seconds())
        try:
            await session.check()
        except Unavailable:
            continue  # nobody can tell; the caller is believed until somebody can
        except CallerError as error:
            return error
