"""Relays the output of running steps inside one process: no message leaves it.

Rules: what is kept is the text so far of attempts that run here or are watched here, and nothing
else; a watcher that is slow finds more text, not more messages. What a relay over a network adds is
built on this one: it shows what grew elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from promptpilot.engine.growing_text import GrowingText
from promptpilot.engine.ports import OpenedSecrets, OutputPlace, OutputView
from promptpilot.engine.scrub import Scrubber
from promptpilot.pulse import Pulse, Timers

#: How long nothing more is shown after something was: at most 20 times a second.
TICK_SECONDS = 0.05
# Ends of attempts that come within milliseconds are shown together.
_END_SECONDS = 0.005


class Writer:
    """The output of one attempt of this process; fills the port `AttemptOutput`.

    `texts` is what may be seen of each model. Of an attempt after the first the text of the first
    model is there from the beginning, and empty: who watches forgets what failed.
    """

    def __init__(
        self, place: OutputPlace, secrets: OpenedSecrets, note: Callable[[Writer], None]
    ) -> None:
        self.place = place
        self.texts: dict[int, str] = {}
        self.is_closed = False
        self._secrets = secrets
        self._note = note
        self._growing: dict[int, GrowingText] = {}
        self._scrubber = Scrubber(())
        self._known = 0
        if place.attempt > 1:
            self.texts[0] = ""
            note(self)

    def append(self, model_index: int, text: str) -> None:
        """Show more of the answer of one model, soon."""
        if text and not self.is_closed:
            self._growing.setdefault(model_index, GrowingText()).take(text)
            self._note(self)

    def close(self) -> None:
        """Show what is left."""
        if not self.is_closed:
            self.is_closed = True
            self._note(self)

    def merge(self) -> None:
        """Take what came since the last time into `texts`."""
        if not self._growing:
            return
        scrubber = self._current_scrubber()
        for index, growing in self._growing.items():
            grown = growing.finish(scrubber) if self.is_closed else growing.grow(scrubber)
            if grown:
                self.texts[index] = self.texts.get(index, "") + grown

    def _current_scrubber(self) -> Scrubber:
        """Return one for all that was opened by now; making it takes milliseconds."""
        revealed = self._secrets.revealed
        if len(revealed) != self._known:
            self._known = len(revealed)
            self._scrubber = Scrubber(revealed)
        return self._scrubber


@dataclass(slots=True)
class _Shown:
    """What is known of the output of one attempt, and who is nudged when that grows."""

    texts: dict[int, str] = field(default_factory=dict)
    nudges: set[Callable[[], None]] = field(default_factory=set)
    writer: Writer | None = None


class LocalRelay:
    """The relay of one process. `grown` hears of writers that showed more or ended."""

    def __init__(
        self,
        timers: Callable[[], Timers] = asyncio.get_running_loop,
        grown: Callable[[Collection[Writer]], None] | None = None,
    ) -> None:
        self._shown: dict[OutputPlace, _Shown] = {}
        self._grown = grown
        self._growing: dict[Writer, None] = {}
        self._ended: dict[Writer, None] = {}
        self._ticks = Pulse(TICK_SECONDS, self._show_growing, timers)
        self._ends = Pulse(_END_SECONDS, self._show_ended, timers)

    def __len__(self) -> int:
        return len(self._shown)

    def open(self, place: OutputPlace, secrets: OpenedSecrets) -> Writer:
        """Return where an attempt shows its output."""
        writer = Writer(place, secrets, self._note)
        shown = self._shown.setdefault(place, _Shown())
        shown.writer, shown.texts = writer, writer.texts
        return writer

    @contextmanager
    def watch(self, place: OutputPlace, nudge: Callable[[], None]) -> Iterator[OutputView]:
        """Watch from entering the context on."""
        shown = self._shown.setdefault(place, _Shown())
        shown.nudges.add(nudge)
        if shown.texts:
            nudge()
        try:
            yield LocalView(self, place)
        finally:
            shown.nudges.discard(nudge)
            self._forget(place)

    def is_watched(self, place: OutputPlace) -> bool:
        """Whether anybody here watches this attempt."""
        shown = self._shown.get(place)
        return shown is not None and bool(shown.nudges)

    def is_written(self, place: OutputPlace) -> bool:
        """Whether the attempt ran here, as far as is still known."""
        shown = self._shown.get(place)
        return shown is not None and shown.writer is not None

    def texts(self, place: OutputPlace) -> Mapping[int, str]:
        """Return the text so far of each model."""
        shown = self._shown.get(place)
        return shown.texts if shown else {}

    def show(self, place: OutputPlace, texts: Mapping[int, str]) -> None:
        """Take in the texts so far of an attempt elsewhere, if it is watched here."""
        if self.is_watched(place) and not self.is_written(place):
            shown = self._shown[place]
            shown.texts.update(texts)
            _nudge_all(shown)

    def catch_up(self, place: OutputPlace) -> None:
        """Let be seen at once what an attempt of this process has shown."""
        shown = self._shown.get(place)
        if shown is not None and shown.writer is not None:
            shown.writer.merge()

    def _note(self, writer: Writer) -> None:
        if writer.is_closed:
            self._ended[writer] = None
            self._ends.ask()
        else:
            self._growing[writer] = None
            self._ticks.ask()

    def _show_growing(self) -> None:
        writers, self._growing = self._growing, {}
        self._show([writer for writer in writers if not writer.is_closed])

    def _show_ended(self) -> None:
        writers, self._ended = self._ended, {}
        self._show(list(writers))
        for writer in writers:
            self._forget(writer.place)

    def _show(self, writers: Collection[Writer]) -> None:
        for writer in writers:
            writer.merge()
            if shown := self._shown.get(writer.place):
                _nudge_all(shown)
        if self._grown is not None:
            self._grown(writers)

    def _forget(self, place: OutputPlace) -> None:
        """Keep nothing of an attempt that neither runs here nor is watched."""
        shown = self._shown.get(place)
        if shown is None or shown.nudges:
            return
        if shown.writer is None or shown.writer.is_closed:
            del self._shown[place]


@dataclass(frozen=True, slots=True)
class LocalView:
    """What a watcher sees; fills the port `OutputView`."""

    relay: LocalRelay
    place: OutputPlace

    @property
    def texts(self) -> Mapping[int, str]:
        """Return the text so far of each model."""
        return self.relay.texts(self.place)

    async def catch_up(self) -> None:
        """See what this process has shown by now."""
        self.relay.catch_up(self.place)


def _nudge_all(shown: _Shown) -> None:
    for nudge in list(shown.nudges):
        nudge()
