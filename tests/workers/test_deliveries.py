"""The courier sends until it is to stop, and one slow endpoint does not hold up the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from promptpilot.engine.endpoints.tries import Taken
from promptpilot.errors import Unavailable
from promptpilot.models import WebhookDelivery, WebhookEndpoint
from promptpilot.stopping import Stopping
from tests.support.waiting import wait_until
from workers.deliveries import TO_ONE, TOGETHER, Courier

PATIENCE_SECONDS = 10.0


@dataclass
class FakeSender:
    """Has so many deliveries for each endpoint; those to endpoints called slow never end."""

    left: Counter[str]
    faults: list[Exception] = field(default_factory=list)
    going: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def turns(self) -> list[str]:
        """Return the endpoints that have some left."""
        if self.faults:
            raise self.faults.pop()
        return sorted(+self.left)

    async def take(self, endpoint_id: str, limit: int) -> list[Taken]:
        """Give some."""
        count = min(limit, self.left[endpoint_id])
        self.left[endpoint_id] -= count
        return [_taken(endpoint_id) for _ in range(count)]

    async def send(self, taken: Taken) -> None:
        """Send one."""
        name = taken.endpoint.id
        self.going[name] += 1
        self.most[name] = max(self.most[name], self.going[name])
        self.most["all"] = max(self.most["all"], self.going.total())
        if name.startswith("slow"):
            await self.released.wait()
        self.going[name] -= 1
        self.done[name] += 1
        if name == "broken":
            raise Unavailable("The database does not answer.")


def _taken(endpoint_id: str) -> Taken:
    return Taken(WebhookDelivery(id="whd"), WebhookEndpoint(id=endpoint_id), "owner")


@asynccontextmanager
async def _open(sender: FakeSender) -> AsyncIterator[Stopping]:
    """Run a courier; at the end release what is slow and stop."""
    stopping = Stopping()
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(Courier(sender).run(stopping))
        yield stopping
        sender.released.set()
        stopping.soon.set()


async def _sent(sender: FakeSender, name: str, count: int) -> None:
    async def is_done() -> bool:
        return sender.done[name] == count

    await wait_until(is_done, PATIENCE_SECONDS)


async def test_a_slow_endpoint_does_not_hold_up_the_others() -> None:
    sender = FakeSender(Counter({"slow": 1000, "quick": 300}))

    async with _open(sender):
        await _sent(sender, "quick", 300)

        assert (sender.going["slow"], sender.done["slow"]) == (TO_ONE, 0)


async def test_so_many_are_sent_at_the_same_time_and_no_more() -> None:
    sender = FakeSender(Counter({f"slow{number}": 10 for number in range(40)}))

    async with _open(sender):

        async def is_full() -> bool:
            return sender.going.total() == TOGETHER

        await wait_until(is_full, PATIENCE_SECONDS)

    assert sender.most["all"] == TOGETHER
    assert max(sender.most[f"slow{number}"] for number in range(40)) == TO_ONE


async def test_what_fails_is_logged_and_the_rest_is_sent() -> None:
    fault = Unavailable("The database does not answer.")
    sender = FakeSender(Counter({"broken": 9, "good": 9}), faults=[fault])

    async with _open(sender):
        await _sent(sender, "good", 9)
        await _sent(sender, "broken", 9)


async def test_told_to_stop_it_ends_what_it_has_begun() -> None:
    sender = FakeSender(Counter({"slow": 9}))

    async with _open(sender) as stopping:

        async def is_going() -> bool:
            return sender.going["slow"] == TO_ONE

        await wait_until(is_going, PATIENCE_SECONDS)
        stopping.soon.set()

    assert (sender.done["slow"], sender.left["slow"]) == (TO_ONE, 9 - TO_ONE)
