"""Work on a connection that must reach its end, whatever happens to the task that began it.

A request may be cancelled at any moment: the client went away, a time limit passed. A BEGIN,
COMMIT or ROLLBACK that is on its way then has to be waited for, or the connection would be left
in a transaction that nobody ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def settle(work: Coroutine[Any, Any, T]) -> T:
    """Await the work to its end even when cancelled; the cancellation is raised afterwards.

    When both happen, the work's own error is dropped in favour of the cancellation.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # marks it as seen
        raise cancelled
    return task.result()
