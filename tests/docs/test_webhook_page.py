"""Proves that the page about WEBHOOK steps tells how to make a request and how to verify it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.docs.pages import examples, read
from tests.docs.reader import Reader
from tests.support.hostile.process import HostileProcess, hostile_process

PAGE = "docs/steps/webhook.md"
PATH = "/echo/A%207%2Fb"
pytestmark = pytest.mark.xdist_group("docs")


@pytest.fixture
def receiver() -> Iterator[HostileProcess]:
    """Give a server that answers with what it received."""
    with hostile_process() as running:
        yield running


@pytest.fixture
async def follower(reader: Reader, receiver: HostileProcess) -> Reader:
    """Give somebody who has followed the whole page."""
    reader.variables["receiver"] = receiver.url()
    for block in examples(read(PAGE), "graphql"):
        await reader.follow(block)
    return reader


async def test_the_example_ends_as_the_page_says(follower: Reader) -> None:
    (shown,) = examples(read(PAGE), "json")

    assert follower.answers[-1]["data"]["execution"] == json.loads(shown.text)


async def test_a_secret_header_arrives_and_is_not_shown(
    follower: Reader, receiver: HostileProcess
) -> None:
    (seen,) = receiver.requests_at(PATH)

    secret = seen["headers"]["authorization"]
    assert secret in read(PAGE)
    assert secret not in json.dumps(follower.answers)


async def test_the_receiver_can_verify_what_arrives(
    follower: Reader, receiver: HostileProcess
) -> None:
    (seen,) = receiver.requests_at(PATH)
    is_genuine = _verifier()
    headers, body = seen["headers"], seen["body"].encode()

    assert is_genuine(follower.shell["SECRET"], headers, body)
    assert not is_genuine(follower.shell["SECRET"], headers, body + b" ")
    late = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
    assert not is_genuine(follower.shell["SECRET"], late, body)


def _verifier() -> Callable[..., bool]:
    """Return the function that the page gives to receivers."""
    (block,) = examples(read(PAGE), "python")
    names: dict[str, Any] = {}
    exec(block.text, names)  # noqa: S102 -- it is our own page
    verifier: Callable[..., bool] = names["is_genuine"]
    return verifier
