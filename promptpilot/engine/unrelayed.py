"""Relays no output to anybody, where nobody can watch: a preview, a tool, most tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from promptpilot.engine.ports import AttemptOutput, OpenedSecrets, OutputPlace, OutputView


class Unrelayed:
    """Fills the ports `OutputRelay`, `AttemptOutput` and `OutputView` with nothing."""

    @property
    def texts(self) -> Mapping[int, str]:
        """Return no text."""
        return {}

    def open(self, place: OutputPlace, secrets: OpenedSecrets) -> AttemptOutput:
        """Return where an attempt shows its output in vain."""
        return self

    @contextmanager
    def watch(self, place: OutputPlace, nudge: Callable[[], None]) -> Iterator[OutputView]:
        """Watch in vain."""
        yield self

    async def catch_up(self) -> None:
        """See nothing."""

    def append(self, model_index: int, text: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""
