"""Follows an execution like the feed, and besides the output of the step that runs, as it grows.

Rules: a watcher is shown the text so far of each model first, as a snapshot, and then what is new.
Which attempt is shown is told by the stored events alone: nothing of a step comes before the event
that began it or after the event that ended it, and a new attempt takes back what a failed one
showed. A slow reader gets more text at a time; nothing is buffered for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime

from promptpilot.clock import Clock
from promptpilot.engine.events import EventKind, is_last
from promptpilot.engine.feed import LONGEST_WAIT_SECONDS, PAGE_SIZE, EventReads, last_until
from promptpilot.engine.lifecycle import StepStatus
from promptpilot.engine.ports import Feed, Listener, OutputPlace, OutputRelay, OutputView
from promptpilot.engine.shared_reads import until_next_look
from promptpilot.engine.unrelayed import Unrelayed
from promptpilot.models import ExecutionEvent


@dataclass(frozen=True, slots=True)
class OutputAppended:
    """More of a model's answer; all of it so far if `is_snapshot`. Not stored.

    `seq` is the number of the last stored event before it.
    """

    execution_id: str
    seq: int
    at: datetime
    path: str
    attempt: int
    model_index: int
    text: str
    is_snapshot: bool


Item = ExecutionEvent | OutputAppended


async def watch(
    execution_id: str,
    after: int,
    feed: Feed,
    relay: OutputRelay,
    clock: Clock,
    reads: EventReads | None = None,
) -> AsyncGenerator[Item, None]:
    """Yield the events after number `after`, in order, and output between them, to the end.

    `reads` are those of the process; without them nothing is shared.
    """
    async with feed.listen(execution_id) as listener:
        with closing(
            _Eye((execution_id, after), relay, clock, listener, reads or EventReads())
        ) as eye:
            await eye.find_its_place()
            while not eye.is_over:
                for event in await eye.look():
                    for item in await eye.rest_before(event):
                        yield item
                    yield event
                    eye.heed(event)
                while not await eye.wait():
                    for item in eye.news():
                        yield item


class _Eye:
    """Knows which attempt runs, and how much of its output was shown."""

    def __init__(
        self,
        place: tuple[str, int],
        relay: OutputRelay,
        clock: Clock,
        listener: Listener,
        reads: EventReads,
    ) -> None:
        self.is_over = False
        self._execution_id, self._seq = place
        self._reads = reads
        self._has_read = False
        self._relay = relay
        self._clock = clock
        self._listener = listener
        self._look_at = 0.0
        self._watching = ExitStack()
        self._view: OutputView = Unrelayed()
        self._place: OutputPlace | None = None
        #: The step whose output was shown last, and how many characters of each model. None stands
        #: for a text that is to be sent as a whole, because it replaces another one.
        self._path: str | None = None
        self._shown: dict[int, int | None] = {}

    async def find_its_place(self) -> None:
        """Turn to what runs after the event to go on from."""
        before = ExecutionEvent.filter(execution_id=self._execution_id, path__isnull=False)
        if self._seq and (last := await before.filter(seq__lte=self._seq).order_by("-seq").first()):
            self.heed(last)

    async def look(self) -> Sequence[ExecutionEvent]:
        """Return the next page of events."""
        page = await self._reads.page(self._execution_id, self._seq)
        wait = until_next_look(self._execution_id, LONGEST_WAIT_SECONDS)
        self._look_at = _now() if len(page) == PAGE_SIZE else _now() + wait
        if page:
            self._has_read = True
            self.is_over = is_last(page[-1].kind, page[-1].to_status)
        elif not self._has_read:
            last = await last_until(self._execution_id, self._seq)
            self.is_over = last is not None and is_last(last.kind, last.to_status)
            self._has_read = self._seq == (last.seq if last else 0)
        return page

    def heed(self, event: ExecutionEvent) -> None:
        """Turn to the attempt that begins with an event, and away from one that ends."""
        self._seq = max(self._seq, event.seq)
        if event.path is None or event.attempt is None:
            return
        if event.kind == EventKind.STEP_RETRY:
            # Either the step waits, which the next event says, or this attempt runs at once.
            self._turn_to(OutputPlace(event.execution_id, event.path, event.attempt + 1))
        elif event.to_status == StepStatus.RUNNING:
            self._turn_to(OutputPlace(event.execution_id, event.path, event.attempt))
        elif self._place is not None and self._place.path == event.path:
            self.close()

    async def rest_before(self, event: ExecutionEvent) -> list[OutputAppended]:
        """Return what is still to be shown before the attempt ends with `event`."""
        place = self._place
        if place is None or (event.path, event.attempt) != (place.path, place.attempt):
            return []
        await self._view.catch_up()
        return list(self.news())

    def news(self) -> Iterator[OutputAppended]:
        """Give what is to be shown now."""
        if self._place is None:
            return
        texts = self._view.texts
        for index in sorted(self._shown.keys() | texts.keys()):
            text, shown = texts.get(index, ""), self._shown.get(index)
            if shown is None:
                yield self._item(self._place, index, text, is_snapshot=True)
            elif len(text) > shown:
                yield self._item(self._place, index, text[shown:], is_snapshot=False)
            self._shown[index] = len(text)

    async def wait(self) -> bool:
        """Return True when it is time to look for events, False when there may be output."""
        seconds = self._look_at - _now()
        return self.is_over or seconds <= 0 or await self._listener.wait(seconds)

    def close(self) -> None:
        """Watch nothing any more."""
        self._watching.close()
        self._place = None

    def _turn_to(self, place: OutputPlace) -> None:
        if place == self._place:
            return
        self.close()
        self._shown = dict.fromkeys(self._shown) if place.path == self._path else {}
        self._place, self._path = place, place.path
        watched = self._relay.watch(place, self._listener.nudge)
        self._view = self._watching.enter_context(watched)
        if self._shown:
            self._listener.nudge()

    def _item(
        self, place: OutputPlace, index: int, text: str, *, is_snapshot: bool
    ) -> OutputAppended:
        return OutputAppended(
            execution_id=place.execution_id,
            seq=self._seq,
            at=self._clock.now(),
            path=place.path,
            attempt=place.attempt,
            model_index=index,
            text=text,
            is_snapshot=is_snapshot,
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
