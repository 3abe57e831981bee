"""Lets many who ask the database the same thing at the same time share one answer.

Rules: an answer is for those who asked before its read began, so whoever asks because a bell rang
never gets what was read before the ring. Of one question at most one read runs and one waits, and
of all questions that share their turns only so many run that others reach the database too.
Nothing is kept: an answer is gone with those who waited for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: So many reads for followers run at once in a process. A server has more connections than that.
AT_ONCE = 4


def new_turns() -> asyncio.Semaphore:
    """Return the turns that all followers of a process share."""
    return asyncio.Semaphore(AT_ONCE)


def until_next_look(name: str, every_seconds: float) -> float:
    """Return the seconds until all who follow `name` look again, at most `every_seconds`.

    They look at the same time, so that one read is for all; other names have other times.
    """
    now = asyncio.get_running_loop().time()
    offset = (sum(name.encode()) % 4) / 4 * every_seconds
    return every_seconds - (now - offset) % every_seconds


class SharedReads(Generic[K, V]):
    """The answers to one kind of question that are being waited for."""

    def __init__(self, read: Callable[[K], Awaitable[V]], turns: asyncio.Semaphore) -> None:
        self._read = read
        self._turns = turns
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._running: dict[K, asyncio.Future[V]] = {}

    async def ask(self, question: K) -> V:
        """Return what a read that begins after this call finds. Raises what the read raises."""
        while (answer := self._waiting.get(question)) is not None:
            await asyncio.wait([answer])
            if not answer.cancelled():
                return answer.result()
        return await self._find(question)

    async def _find(self, question: K) -> V:
        """Read for everybody who asks until the read begins.

        If this call is cancelled, one of the others does it instead.
        """
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting[question] = answer
        try:
            await asyncio.sleep(0)  # those who heard the same ring are about to ask
            if (before := self._running.get(question)) is not None:
                await asyncio.wait([before])
            async with self._turns:
                self._running[question] = self._waiting.pop(question)
                answer.set_result(await self._read(question))
        except Exception as error:
            answer.set_exception(error)
            raise
        finally:
            answer.cancel()
            for answers in (self._waiting, self._running):
                if answers.get(question) is answer:
                    del answers[question]
        return answer.result()
