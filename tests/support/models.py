"""A model for tests that answers, fails or waits as told, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from promptpilot.engine.accounts import Account
from promptpilot.engine.definition import Definition, Step
from promptpilot.engine.prices import Price, PriceTable, Rates
from promptpilot.engine.providers.base import (
    ModelReply,
    ModelRequest,
    Provider,
    TextSink,
    Tokens,
)
from promptpilot.engine.step_configs import ModelProvider, ModelTarget, PromptConfig

Answer = str | Exception | asyncio.Event

_ONE = Decimal(1)
#: What the model `m` of `asking` costs: a micro-dollar for each token.
PRICES = PriceTable("t1", {(ModelProvider.SIMULATOR, "m"): Price(Rates(_ONE, _ONE, _ONE, _ONE))})


class ScriptedModel:
    """Gives its answers in turn, the last one again and again.

    A text is answered, an exception raised, and an event waited for before `then` is done.
    """

    def __init__(self, *answers: Answer, then: str | Exception = "ok") -> None:
        self.answers: list[Answer] = list(answers or ["ok"])
        self._then = then
        self.asked: list[ModelRequest] = []
        self._calls = asyncio.Semaphore(0)

    @property
    def providers(self) -> Mapping[ModelProvider, Provider]:
        """Return the providers of a server that has this model alone."""
        return {ModelProvider.SIMULATOR: self}

    @property
    def keys(self) -> list[str]:
        """Return the idempotency keys it was asked with."""
        return [request.idempotency_key for request in self.asked]

    async def complete(
        self, request: ModelRequest, account: Account | None, on_text: TextSink
    ) -> ModelReply:
        """Do what is told for this call."""
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(request)
        self._calls.release()
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = self._then
        if isinstance(answer, Exception):
            raise answer
        return ModelReply(text=answer, tokens=Tokens(2, 1))

    async def wait_for_call(self, count: int = 1) -> None:
        """Return when it was asked so many more times."""
        async with asyncio.timeout(20):
            for _ in range(count):
                await self._calls.acquire()


def asking(name: str = "a", **others: Any) -> Step:
    """Make a step that asks the model."""
    target = ModelTarget(ModelProvider.SIMULATOR, "m")
    return Step(name, PromptConfig((target,), content="Hi"), id=f"st_{name}", **others)


def workflow(*steps: Step) -> Definition:
    """Make a definition of these steps."""
    return Definition(steps)
