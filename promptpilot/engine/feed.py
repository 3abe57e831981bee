"""Follows an execution: its stored events first, then what happens, without gap or repetition.

The table is read after every ring and at least once a second, so a lost bell costs a second. A
slow reader is bounded by the page it has not taken yet: nothing is buffered for it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Sequence

from promptpilot.engine.events import is_last
from promptpilot.engine.ports import Feed
from promptpilot.errors import InvalidInput
from promptpilot.models import ExecutionEvent

PAGE_SIZE = 200
LONGEST_WAIT_SECONDS = 1.0
_MAX_SEQ = 2**53


async def follow(
    execution_id: str, after: int, feed: Feed
) -> AsyncGenerator[Sequence[ExecutionEvent], None]:
    """Yield the events after number `after` in pages, in order; end after the final one."""
    has_read = False  # then the page has told whether its last event was the final one
    async with feed.listen(execution_id) as listener:
        while True:
            page = await read_page(execution_id, after)
            if page:
                after, has_read = page[-1].seq, True
                yield page
                if is_last(page[-1].kind, page[-1].to_status):
                    return
            elif not has_read and await is_over(execution_id, after):
                return
            if len(page) < PAGE_SIZE:
                await listener.wait(LONGEST_WAIT_SECONDS)


async def read_page(execution_id: str, after: int) -> list[ExecutionEvent]:
    """Return at most one page of events after number `after`."""
    return (
        await ExecutionEvent.filter(execution_id=execution_id, seq__gt=after)
        .order_by("seq")
        .limit(PAGE_SIZE)
    )


async def is_over(execution_id: str, after: int) -> bool:
    """Whether the event `after` was the final one, so that nothing can follow."""
    last = (
        await ExecutionEvent.filter(execution_id=execution_id, seq__lte=after)
        .order_by("-seq")
        .limit(1)
    )
    return bool(last) and is_last(last[0].kind, last[0].to_status)


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
