"""Fixtures of the front's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.front.endpoint import Front, Server, Wire, serving
from tests.front.sample import Probe


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run on asyncio, as the product does."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """Return what is logged."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def probe() -> Probe:
    """See what resolvers saw."""
    return Probe()


@pytest.fixture
def front(probe: Probe) -> Front:
    """Return the front with default limits."""
    return Front(probe)


@pytest.fixture
async def server(front: Front) -> AsyncIterator[Server]:
    """Return the front on loopback."""
    async with serving(front) as server:
        yield server


@pytest.fixture
async def wire(server: Server) -> AsyncIterator[Wire]:
    """Return a socket that has not introduced itself."""
    async with server.open() as wire:
        yield wire
