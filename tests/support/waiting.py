"""Waits, in a bounded way, for what another process does and nobody signals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_PAUSE_SECONDS = 0.02

T = TypeVar("T")


async def wait_until(
    condition: Callable[[], Awaitable[T | None]], within: float, explain: Callable[[], str] = str
) -> T:
    """Return the first true answer of `condition`; fail when there is none `within` seconds.

    The only place in which tests pause. `explain` is called for the message of a failure.
    """
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + within
    while not (answer := await condition()):
        if clock() > give_up_at:
            raise AssertionError(f"{condition!r} was not true within {within} s. {explain()}")
        await asyncio.sleep(_PAUSE_SECONDS)
    return answer


async def pass_time(seconds: float) -> None:
    """Return after so long, where time itself is what a test needs, such as a lease's end."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds

    async def is_over() -> bool:
        return clock() >= until

    await wait_until(is_over, 2 * seconds)
