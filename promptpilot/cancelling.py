"""Makes loops end when they are cancelled, although a library swallowed the cancellation.

`asyncio.wait_for` of Python 3.11 forgets a cancellation that comes while its work is just done, and
the Redis client waits with it for every call.
"""

from __future__ import annotations

import asyncio


def raise_if_cancelled() -> None:
    """Raise CancelledError when the current task has been told to end. Call it in every round."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
