"""What tests of growing output need: opened secrets, timers that a test moves, a dripping model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from promptpilot.engine.accounts import Account
from promptpilot.engine.ports import OutputPlace
from promptpilot.engine.providers.base import ModelReply, ModelRequest, Provider, TextSink, Tokens
from promptpilot.engine.step_configs import ModelProvider

PLACE = OutputPlace("ex_00000000000000000000000000", "0", 1)


@dataclass
class Secrets:
    """Secrets that were opened; only what a relay asks for."""

    revealed: list[str] = field(default_factory=list)

    async def reveal(self, secret_ids: Sequence[str]) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    async def signing_secrets(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    async def account(self, provider: str, credential_id: str | None) -> Account:
        """Return an account with the first secret."""
        return Account(self.revealed[0])

    async def refused(self, account: Account, words: str) -> None:
        """Do nothing."""


class ManualTimers:
    """A clock in seconds, and calls at its times, that both wait for the test to move on."""

    def __init__(self) -> None:
        self.now = 100.0
        self._calls: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        """Return the time."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back when the test has moved there."""
        self._calls.append((when, callback))

    def move(self, seconds: float) -> None:
        """Move on, and call back what was to be called until then."""
        until = self.now + seconds
        while due := [each for each in self._calls if each[0] <= until]:
            first = min(due, key=lambda each: each[0])
            self._calls.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = until


class DrippingModel:
    """Says piece by piece what a test hands it; `None` ends the answer, an exception fails it.

    `closed` is set when it was cancelled in the middle of an answer.
    """

    def __init__(self) -> None:
        self.asked: asyncio.Queue[ModelRequest] = asyncio.Queue()
        self.closed = asyncio.Event()
        self._pieces: asyncio.Queue[str | Exception | None] = asyncio.Queue()

    @property
    def providers(self) -> Mapping[ModelProvider, Provider]:
        """Return the providers of a server that has this model alone."""
        return {ModelProvider.SIMULATOR: self}

    def say(self, *pieces: str | Exception | None) -> None:
        """Hand over what is to be said next."""
        for piece in pieces:
            self._pieces.put_nowait(piece)

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Say what is handed over until it ends."""
        self.asked.put_nowait(request)
        said = ""
        try:
            while (piece := await self._pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                on_text(piece)
                said += piece
        except asyncio.CancelledError:
            self.closed.set()
            raise
        return ModelReply(text=said, tokens=Tokens(2, 1))
