"""Follows an execution: its stored events first, then what happens, without gap or repetition.

The table is read after every ring and at least once a second, so a lost bell costs a second.
Followers of a process share their reads, and ask once for all of them where there is anything new.
A slow reader is bounded by the page it has not taken yet: nothing is buffered for it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Mapping, Sequence

from promptpilot.engine.events import is_last
from promptpilot.engine.ports import Feed
from promptpilot.engine.shared_reads import SharedReads, new_turns, until_next_look
from promptpilot.errors import InvalidInput
from promptpilot.models import Execution, ExecutionEvent

PAGE_SIZE = 200
LONGEST_WAIT_SECONDS = 1.0
_MAX_SEQ = 2**53
_MAX_IDS = 500


class EventReads:
    """What the followers of single executions read. One for each process."""

    def __init__(self, turns: asyncio.Semaphore | None = None) -> None:
        turns = turns or new_turns()
        self._pages = SharedReads(_read_page, turns)
        self._numbers = SharedReads(self._read_numbers, turns)
        self._asked: set[str] = set()

    async def page(self, execution_id: str, after: int) -> Sequence[ExecutionEvent]:
        """Return at most one page of events after number `after`, as they are from now on."""
        self._asked.add(execution_id)
        last = (await self._numbers.ask(None)).get(execution_id)
        if last is not None and last <= after:
            return ()
        return await self._pages.ask((execution_id, after))

    async def _read_numbers(self, _: None) -> Mapping[str, int]:
        """Return the number of the last event of each execution that is asked about.

        That of a single one is not worth a read: its page says the same.
        """
        asked, self._asked = [*self._asked], set()
        numbers: dict[str, int] = {}
        for start in range(0, len(asked) if len(asked) > 1 else 0, _MAX_IDS):
            some = Execution.filter(id__in=asked[start : start + _MAX_IDS])
            numbers.update(await some.values_list("id", "last_seq"))
        return numbers


async def follow(
    execution_id: str, after: int, feed: Feed, reads: EventReads | None = None
) -> AsyncGenerator[Sequence[ExecutionEvent], None]:
    """Yield the events after number `after` in pages, in order; end after the final one.

    `reads` are those of the process; without them nothing is shared.
    """
    reads = reads or EventReads()
    has_read = False  # then it is known that the event `after` was not the final one
    async with feed.listen(execution_id) as listener:
        while True:
            page = await reads.page(execution_id, after)
            if page:
                after, has_read = page[-1].seq, True
                yield page
                if is_last(page[-1].kind, page[-1].to_status):
                    return
            elif not has_read:
                last = await last_until(execution_id, after)
                if last and is_last(last.kind, last.to_status):
                    return
                has_read = after == (last.seq if last else 0)
            if len(page) < PAGE_SIZE:
                await listener.wait(until_next_look(execution_id, LONGEST_WAIT_SECONDS))


async def _read_page(place: tuple[str, int]) -> Sequence[ExecutionEvent]:
    execution_id, after = place
    return (
        await ExecutionEvent.filter(execution_id=execution_id, seq__gt=after)
        .order_by("seq")
        .limit(PAGE_SIZE)
    )


async def last_until(execution_id: str, after: int) -> ExecutionEvent | None:
    """Return the event `after`, or the last one before it if there is none of that number.

    If it is the final one, nothing can follow. What is so of the event `after` stays so.
    """
    before = ExecutionEvent.filter(execution_id=execution_id, seq__lte=after)
    return await before.order_by("-seq").first()


def encode_cursor(execution_id: str, seq: int) -> str:
    """Return the opaque position of event `seq`; 0 stands for before the first."""
    return base64.urlsafe_b64encode(f"{execution_id}:{seq}".encode()).rstrip(b"=").decode()


def decode_cursor(execution_id: str, text: str) -> int:
    """Return the number that a cursor of this execution stands for. Raises `InvalidInput`."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        prefix, _, seq = base64.urlsafe_b64decode(padded).decode("ascii").rpartition(":")
        if prefix == execution_id and seq.isdecimal() and int(seq) < _MAX_SEQ:
            number = int(seq)
            if encode_cursor(execution_id, number) == text:  # the decoder overlooks stray signs
                return number
    except (ValueError, binascii.Error):
        pass
    message = "The cursor is none of this execution; take one from its events or eventCursor."
    raise InvalidInput(message, ("after",))
