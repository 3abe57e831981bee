"""Proves that clients of the web use a running server as an app does, over losses and a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server import converse, up

pytestmark = [pytest.mark.xdist_group("live-clients"), pytest.mark.timeout(150)]

CLIENTS = (
    "graphql-ws",
    "graphql-sse",
    "urql over SSE",
    "urql over graphql-ws",
    "Apollo over multipart",
    "Apollo over graphql-ws",
)
OPERATIONS = "../../examples/spa/operations"


@pytest.fixture(scope="module")
def everyone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give what each client saw of a server that was cut off once and killed once."""
    return asyncio.run(_told_by_all(tmp_path_factory.mktemp("live")))


@pytest.fixture(params=CLIENTS)
def seen(request: pytest.FixtureRequest, everyone: dict[str, Any]) -> dict[str, Any]:
    """Give what one client saw."""
    found: dict[str, Any] = everyone[request.param]
    return found


def test_a_client_joins_and_is_known(seen: dict[str, Any]) -> None:
    assert seen["viewer"].endswith("@example.org")


def test_a_client_without_a_token_is_told_to_bring_one(seen: dict[str, Any]) -> None:
    assert seen["stranger"] == {"codes": ["UNAUTHENTICATED"]}


def test_a_client_with_a_false_token_is_turned_away_as_its_transport_does(
    seen: dict[str, Any],
) -> None:
    ways = [
        {"codes": ["UNAUTHENTICATED"]},
        {"lost": 4403},
        {"lost": "Server responded with 401: Unauthorized"},
    ]

    assert seen["impostor"] in ways


def test_a_client_sees_what_was_wrong_with_a_document_and_with_variables(
    seen: dict[str, Any],
) -> None:
    assert seen["wrong"] == {"codes": ["GRAPHQL_VALIDATION_FAILED"]}
    assert seen["variables"] == {"codes": ["BAD_USER_INPUT"]}


def test_what_a_mutation_did_not_do_comes_as_data(seen: dict[str, Any]) -> None:
    (error,) = seen["refused"]

    assert (error["__typename"], error["code"]) == ("InvalidInputError", "REQUIRED")
    assert error["path"] == ["input", "name"]


def test_a_client_that_lost_its_connection_twice_saw_every_event_once(seen: dict[str, Any]) -> None:
    cursors = [event["cursor"] for event in seen["events"]]

    assert seen["losses"] > 1
    assert cursors == seen["history"]
    assert [event["sequence"] for event in seen["events"]] == list(range(1, len(cursors) + 1))
    assert seen["events"][-1]["toStatus"] == "COMPLETED"


async def _told_by_all(folder: Path) -> dict[str, Any]:
    async with up(folder) as server:
        told: dict[str, Any] = await converse(server, "live.mjs", OPERATIONS)
    return told
