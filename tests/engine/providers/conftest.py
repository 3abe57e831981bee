"""What the tests of model providers can ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.scripted_provider import ScriptedProvider, scripted_provider


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    """Give a server that says what the test writes down."""
    async with scripted_provider() as server:
        yield server
