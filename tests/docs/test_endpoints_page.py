"""Proves that the page about webhook endpoints tells how to be told, and how to receive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from promptpilot.engine.endpoints.kinds import WebhookEventType
from promptpilot.engine.endpoints.retries import DELAYS
from tests.docs.pages import examples, read
from tests.docs.reader import Reader
from tests.support.hostile.process import HostileProcess, hostile_process
from tests.support.waiting import wait_until

PAGE = "docs/ENDPOINTS.md"
PATH = "/json/shop"
_PATIENCE_SECONDS = 20
pytestmark = pytest.mark.xdist_group("docs")


@pytest.fixture
def receiver() -> Iterator[HostileProcess]:
    """Give a server that takes what it is told."""
    with hostile_process() as running:
        yield running


@pytest.fixture
async def follower(reader: Reader, receiver: HostileProcess) -> Reader:
    """Give somebody who has followed the whole page."""
    reader.variables["receiver"] = receiver.url(PATH)
    *first, sent, again = examples(read(PAGE), "graphql")
    for block in first:
        await reader.follow(block)
    await _arrived(receiver, 1)
    await reader.follow(sent)
    reader.variables["deliveryId"] = _delivery(reader)["id"]
    await reader.follow(again)
    await _arrived(receiver, 2)
    return reader


async def _arrived(receiver: HostileProcess, count: int) -> None:
    async def has_come() -> bool:
        return len(receiver.requests_at(PATH)) >= count

    await wait_until(has_come, _PATIENCE_SECONDS)


def _delivery(reader: Reader) -> dict[str, Any]:
    pages = [
        each["data"]["webhookDeliveries"]
        for each in reader.answers
        if "webhookDeliveries" in each["data"]
    ]
    (delivery,) = pages[0]["nodes"]
    found: dict[str, Any] = delivery
    return found


async def test_what_arrives_is_what_the_page_shows(
    follower: Reader, receiver: HostileProcess
) -> None:
    (shown,) = [json.loads(block.text) for block in examples(read(PAGE), "json")]

    first, second = (each["body"] for each in receiver.requests_at(PATH))

    told = json.loads(first)
    assert first == second
    assert told.keys() == shown.keys()
    known = {"executionId": "ex_…", "workflowId": "wf_…"}
    assert {**told["data"], **known} == shown["data"]


async def test_the_receiver_of_the_page_takes_it(
    follower: Reader, receiver: HostileProcess
) -> None:
    first, second = receiver.requests_at(PATH)
    receive = _receiver()

    for seen in (first, second):
        message = receive(follower.shell["SECRET"], seen["headers"], seen["body"].encode())
        assert message["type"] == "execution.completed"
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]
    assert first["headers"]["webhook-id"] == _delivery(follower)["id"]


async def test_the_secret_is_told_once(follower: Reader) -> None:
    answers = json.dumps(follower.answers[1:])

    assert follower.shell["SECRET"] not in answers


def test_the_page_names_every_event_and_every_delay() -> None:
    page = read(PAGE)

    assert all(f"`{each.name}` | `{each.value}`" in page for each in WebhookEventType)
    assert "at once | 5 s | 5 min | 30 min | 2 h | 5 h | 10 h | 14 h | 20 h | 24 h |" in page
    assert [int(each.total_seconds()) for each in DELAYS[:3]] == [5, 300, 1800]


def _receiver() -> Callable[..., Any]:
    """Return the function that the page gives to receivers."""
    (block,) = examples(read(PAGE), "python")
    names: dict[str, Any] = {}
    exec(block.text, names)  # noqa: S102 -- it is our own page
    receive: Callable[..., Any] = names["receive"]
    return receive
