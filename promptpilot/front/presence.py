"""Ends work that nobody waits for any more, unless it writes: that goes on to its own end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def while_present(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of `work`; cancel it when the client of a request goes away.

    The request's body must have been read. Raises ClientDisconnect then, after the work has ended.
    """
    doing = asyncio.create_task(work)
    leaving = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnect
        return doing.result()
    finally:
        doing.cancel()
        leaving.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of `work`, which is not cancelled with whoever waits for it.

    The cancellation is raised when the work has ended.
    """
    doing = asyncio.create_task(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        while not doing.done():
            with suppress(asyncio.CancelledError):  # once more: the first one is raised below
                await asyncio.wait({doing})
        if not doing.cancelled():
            doing.exception()  # nobody is left to hear of it
        raise


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
