"""Proves that output comes between the events of its step, once, and never for a failed attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import pytest

from promptpilot.engine.definition import RetryPolicy
from promptpilot.engine.runner import Runner
from promptpilot.engine.watching import Item, OutputAppended, watch
from promptpilot.errors import StepFailed
from promptpilot.local_relay import LocalRelay
from promptpilot.models import ExecutionEvent
from tests.support.bench import Bench, told
from tests.support.models import asking, workflow
from tests.support.waiting import wait_until
from tests.support.watching import DrippingModel

BUSY = StepFailed("Busy.", "PROVIDER_UNAVAILABLE", is_retryable=True)


@pytest.fixture
def model() -> DrippingModel:
    """Give a model that says what the test hands it."""
    return DrippingModel()


@pytest.fixture
def relay() -> LocalRelay:
    """Give the relay between the worker and who watches."""
    return LocalRelay()


@pytest.fixture
async def worker(bench: Bench, model: DrippingModel, relay: LocalRelay) -> AsyncIterator[Runner]:
    """Give a worker that shows the model's output, until the test ends."""
    tools = replace(bench.tools_with(providers=model.providers), outputs=relay)
    async with bench.running(bench.runner(tools, poll=timedelta(milliseconds=20))) as runner:
        yield runner


class Audience:
    """Somebody who watches an execution: `seen` are events as short texts, and output."""

    def __init__(self, bench: Bench, relay: LocalRelay, execution_id: str, after: int = 0) -> None:
        self.seen: list[str] = []
        self.items: list[Item] = []
        self._live = watch(execution_id, after, bench.feed, relay, bench.clock)

    async def until(self, last: str) -> list[str]:
        """Watch until this is seen; return everything seen."""
        async with asyncio.timeout(20):
            while last not in self.seen:
                item = await anext(self._live)
                self.items.append(item)
                self.seen.append(short(item))
        return self.seen

    async def to_the_end(self) -> list[str]:
        """Watch to the end; return everything seen."""
        async with asyncio.timeout(20), aclosing(self._live) as items:
            async for item in items:
                self.items.append(item)
                self.seen.append(short(item))
        return self.seen

    async def leave(self) -> None:
        """Watch no more."""
        await self._live.aclose()


def short(item: Item) -> str:
    """Return an item as one short text: `0= all` for a snapshot, `0+ more` for more of it."""
    if isinstance(item, ExecutionEvent):
        return told(item)
    return f"{item.model_index}{'=' if item.is_snapshot else '+'} {item.text}"


async def test_output_comes_between_the_events_of_its_step(
    bench: Bench, model: DrippingModel, relay: LocalRelay, worker: Runner
) -> None:
    audience = Audience(bench, relay, await bench.launch(workflow(asking())))

    model.say("Hel")
    await audience.until("0= Hel")
    model.say("lo", None)

    begin = ["PENDING", "RUNNING", "0#1 RUNNING"]
    end = ["0#1 COMPLETED", "COMPLETED"]
    assert await audience.to_the_end() == [*begin, "0= Hel", "0+ lo", *end]


async def test_output_has_the_number_of_the_event_before_it(
    bench: Bench, model: DrippingModel, relay: LocalRelay, worker: Runner
) -> None:
    execution_id = await bench.launch(workflow(asking()))
    audience = Audience(bench, relay, execution_id)

    model.say("Hello")
    await audience.until("0= Hello")

    shown = audience.items[-1]
    assert isinstance(shown, OutputAppended)
    assert (shown.execution_id, shown.path, shown.attempt, shown.seq) == (execution_id, "0", 1, 3)
    assert shown.at == bench.clock.now()
    await audience.leave()


async def test_who_comes_late_or_again_gets_all_so_far_and_then_what_is_new(
    bench: Bench, model: DrippingModel, relay: LocalRelay, worker: Runner
) -> None:
    execution_id = await bench.launch(workflow(asking()))
    first = Audience(bench, relay, execution_id)
    model.say("Once upon ")
    await first.until("0= Once upon ")

    again = Audience(bench, relay, execution_id, after=3)
    await again.until("0= Once upon ")
    model.say("a time", None)

    assert await again.to_the_end() == [
        *("0= Once upon ", "0+ a time"),
        *("0#1 COMPLETED", "COMPLETED"),
    ]
    assert (await first.to_the_end())[3:] == again.seen


async def test_a_new_attempt_takes_back_what_the_failed_one_showed(
    bench: Bench, model: DrippingModel, relay: LocalRelay, worker: Runner
) -> None:
    once_more = RetryPolicy(max_attempts=2, initial_delay_ms=0)
    audience = Audience(bench, relay, await bench.launch(workflow(asking(retry=once_more))))
    model.say("Wro")
    await audience.until("0= Wro")
    model.say(BUSY)
    await audience.until("0= ")
    model.say("Right", None)

    seen = await audience.to_the_end()

    assert [each for each in seen if each[1] in "=+"] == ["0= Wro", "0= ", "0+ Right"]
    assert seen.index("0#2 RUNNING") < seen.index("0= ")


async def test_a_slow_reader_gets_more_text_at_a_time(
    bench: Bench, model: DrippingModel, relay: LocalRelay, worker: Runner
) -> None:
    execution_id = await bench.launch(workflow(asking()))
    quick, slow = (Audience(bench, relay, execution_id) for _ in range(2))
    model.say("a")
    await slow.until("0= a")
    for word in ("b", "c"):
        await quick.until("0= a")
        model.say(word)
        await quick.until(f"0+ {word}")
    model.say(None)

    assert "0+ bc" in await slow.to_the_end()
    await quick.leave()


async def test_nothing_of_a_step_that_ended_is_shown(
    bench: Bench, model: DrippingModel, relay: LocalRelay, worker: Runner
) -> None:
    execution_id = await bench.launch(workflow(asking("a"), asking("b")))
    model.say("first", None)
    await model.asked.get()
    await model.asked.get()

    late = Audience(bench, relay, execution_id)
    model.say("second")
    seen = await late.until("0= second")

    assert "0= first" not in seen
    assert seen.index("0#1 COMPLETED") < seen.index("1#1 RUNNING") < seen.index("0= second")
    await late.leave()


async def test_a_cancelled_step_closes_the_model_and_is_followed_to_the_end(
    bench: Bench, model: DrippingModel, relay: LocalRelay, worker: Runner
) -> None:
    execution_id = await bench.launch(workflow(asking()))
    audience = Audience(bench, relay, execution_id)
    model.say("Never en")
    await audience.until("0= Never en")

    await bench.control.cancel(bench.workspace_id, execution_id, "Enough.")

    assert (await audience.to_the_end())[-2:] == ["0#1 CANCELLED", "CANCELLED"]
    assert model.closed.is_set()


async def test_nothing_is_kept_of_what_has_ended_and_is_not_watched(
    bench: Bench, model: DrippingModel, relay: LocalRelay, worker: Runner
) -> None:
    audience = Audience(bench, relay, await bench.launch(workflow(asking())))
    model.say("Hello", None)

    await audience.to_the_end()

    async def is_forgotten() -> bool:
        return len(relay) == 0

    await wait_until(is_forgotten, 5)
