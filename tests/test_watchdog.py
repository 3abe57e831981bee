"""The watchdog ends a process whose loop hangs, and no other."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

from promptpilot.watchdog import Watchdog
from tests.support.waiting import pass_time

_PATIENCE = timedelta(seconds=0.2)


async def test_a_loop_that_hangs_is_noticed() -> None:
    ended = threading.Event()
    watchdog = Watchdog(_PATIENCE, ended.set, look=0.01)
    beating = asyncio.create_task(watchdog.beat())
    await asyncio.sleep(0)

    assert ended.wait(10)  # the loop hangs here

    beating.cancel()


async def test_a_loop_that_turns_is_left_alone() -> None:
    ended = threading.Event()
    beating = asyncio.create_task(Watchdog(_PATIENCE, ended.set, look=0.05).beat())

    await pass_time(0.6)

    assert not ended.is_set()
    beating.cancel()


async def test_a_watchdog_that_was_stopped_does_not_bite() -> None:
    ended = threading.Event()
    beating = asyncio.create_task(Watchdog(_PATIENCE, ended.set, look=0.01).beat())
    await asyncio.sleep(0)
    beating.cancel()
    await asyncio.wait([beating])

    assert not ended.wait(0.5)
