"""Proves that answers are shared by those who asked before the read, and by nobody else."""

from __future__ import annotations

import asyncio

import pytest

from promptpilot.engine.shared_reads import AT_ONCE, SharedReads, new_turns, until_next_look


class Library:
    """Answers every question with the number of its read, when the test lets it."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.begun = asyncio.Semaphore(0)
        self.may_answer = asyncio.Semaphore(0)
        self.shared = SharedReads(self._read, new_turns())

    async def _read(self, question: str) -> int:
        self.questions.append(question)
        number = len(self.questions)
        self.begun.release()
        await self.may_answer.acquire()
        if question == "broken":
            raise LookupError(question)
        return number

    def ask(self, question: str = "a") -> asyncio.Task[int]:
        """Begin to ask."""
        return asyncio.create_task(self.shared.ask(question))

    def answer(self, count: int = 1) -> None:
        """Let so many reads end."""
        for _ in range(count):
            self.may_answer.release()


@pytest.fixture
async def library() -> Library:
    """Give what is read."""
    return Library()


async def test_who_asks_at_the_same_time_shares_one_read(library: Library) -> None:
    asking = [library.ask() for _ in range(200)]
    library.answer()

    assert await asyncio.gather(*asking) == [1] * 200


async def test_a_read_that_has_begun_is_no_answer_for_who_asks_later(library: Library) -> None:
    early = library.ask()
    await library.begun.acquire()
    late = [library.ask() for _ in range(3)]
    library.answer(2)

    assert await early == 1
    assert await asyncio.gather(*late) == [2] * 3


async def test_only_so_many_reads_run_at_once(library: Library) -> None:
    asking = [library.ask(f"{number}") for number in range(AT_ONCE + 5)]
    for _ in range(AT_ONCE):
        await library.begun.acquire()
    await asyncio.wait(asking, timeout=0.01)
    begun = len(library.questions)

    library.answer(AT_ONCE + 5)
    await asyncio.gather(*asking)

    assert begun == AT_ONCE
    assert len(library.questions) == AT_ONCE + 5


@pytest.mark.parametrize("has_begun", [False, True])
async def test_who_leaves_takes_nobody_along(library: Library, *, has_begun: bool) -> None:
    first, *others = [library.ask() for _ in range(3)]
    await (library.begun.acquire() if has_begun else asyncio.sleep(0))

    first.cancel()
    library.answer()

    assert set(await asyncio.gather(*others)) == {1 + has_begun}
    assert first.cancelled()


async def test_everybody_learns_of_a_failure_and_may_ask_again(library: Library) -> None:
    asking = [library.ask("broken") for _ in range(3)]
    library.answer(2)

    errors = await asyncio.gather(*asking, return_exceptions=True)

    assert [type(each) for each in errors] == [LookupError] * 3
    with pytest.raises(LookupError):
        await library.ask("broken")
    assert len(library.questions) == 2


async def test_all_who_follow_one_thing_look_at_the_same_time() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()

    looks = [loop.time() + until_next_look("ex_1", 1000.0) for _ in range(10)]

    assert max(looks) - min(looks) < 0.1
    assert before < min(looks) <= before + 1000


async def test_nothing_is_kept_of_what_was_answered(library: Library) -> None:
    library.answer()
    await library.ask()

    assert not library.shared._waiting
    assert not library.shared._running
