"""What the contract of model providers can ask for: other companies' servers on the loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from promptpilot.engine.egress.addresses import AllowList
from promptpilot.engine.providers.transport import ProviderHttp
from tests.support.aimock import Aimock
from tests.support.scripted_provider import ScriptedProvider, scripted_provider


@pytest.fixture(scope="session")
def aimock_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aimock]:
    """Give the aimock of this process of tests."""
    started = Aimock.start(tmp_path_factory.mktemp("aimock"))
    yield started
    started.stop()


@pytest.fixture
def aimock(aimock_process: Aimock) -> Aimock:
    """Give an aimock that has no answers and was not asked yet."""
    aimock_process.reset()
    return aimock_process


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    """Give a server that says what the test writes down."""
    async with scripted_provider() as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    """Give the guarded way to providers, with the loopback on the operator's list."""
    opened = ProviderHttp(AllowList.of(["127.0.0.1"]))
    yield opened
    await opened.aclose()
