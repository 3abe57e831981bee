"""A hostile server, and a client that may reach it and loses patience soon."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.egress.client import HttpClient
from promptpilot.engine.egress.limits import HttpLimits
from tests.support.hostile import HostileServer, hostile_server

#: Small enough for tests; the idle limit is a few turns of a busy machine.
LIMITS = HttpLimits(
    connect_seconds=2.0,
    idle_seconds=0.3,
    total_seconds=5.0,
    max_body_bytes=100_000,
    max_header_bytes=10_000,
)


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    """Give a hostile server of this test."""
    async with hostile_server() as running:
        yield running


@pytest.fixture
def client() -> HttpClient:
    """Give a client that may call this machine."""
    return HttpClient(AllowList.of(["127.0.0.0/8", "::1"]), LIMITS)
